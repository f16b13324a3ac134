import { defineKernel } from "../../src/runtime/kernel.js";

const entry = `@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let index = group.y * grid.x + group.x;`;

/** Copies bytes: the roof of kernels that are bound by memory. Also restores what a launch changed. */
export const copy = defineKernel({
  name: "copy",
  reads: { x: "f32|u32|f16[N]" },
  writes: { y: "f32|u32|f16[N]" },
  params: [],
  constants: [],
  variants: [
    {
      name: "direct",
      groups: ({ N }) => Math.ceil(N / 1024),
      wgsl: `// 4 vectors an invocation, with neighbours side by side; buffers are padded to whole vectors
struct Params { N: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4u>;
${entry}
  let first = index * 256u + lane;
  let end = (params.N + 3u) / 4u;
  if (first + 192u < end) {
    y[first] = x[first];
    y[first + 64u] = x[first + 64u];
    y[first + 128u] = x[first + 128u];
    y[first + 192u] = x[first + 192u];
    return;
  }
  for (var i = first; i < end; i += 64u) { y[i] = x[i]; }
}`,
    },
  ],
  bytes: ({ N }) => 8 * N,
  flops: () => 0,
  reference({ N }, { x, y }) {
    for (let n = 0; n < N; n++) y[n] = x[n];
  },
});

const round = `${Array.from({ length: 8 }, (_, a) => `a${a} = fma(a${a}, m, c);`).join(" ")}\n`;
const CHAIN = 1024; // fused multiply-adds of each of the 8 accumulators

/** Multiplies and adds in registers: the roof of kernels that are bound by arithmetic. 8 chains hide the latency of one. */
export const fma = defineKernel({
  name: "fma",
  reads: { x: "f32[8]" },
  writes: { y: "f32[N]" },
  params: [],
  constants: [],
  variants: [
    {
      name: "direct",
      groups: ({ N }) => Math.ceil(N / 64),
      wgsl: `// acc = acc * x[0] + x[1], with values that stay near 1
struct Params { N: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
${entry}
  let n = index * 64u + lane;
  if (n >= params.N) { return; }
  let m = x[0];
  let c = x[1];
  var a0 = m; var a1 = m + c; var a2 = m + 2.0 * c; var a3 = m + 3.0 * c;
  var a4 = m - c; var a5 = m - 2.0 * c; var a6 = m - 3.0 * c; var a7 = m - 4.0 * c;
  for (var i = 0u; i < ${CHAIN / 8}u; i++) {
${round.repeat(8)}
  }
  let sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
  y[n] = sum.x + sum.y + sum.z + sum.w;
}`,
    },
  ],
  bytes: ({ N }) => 4 * N,
  flops: ({ N }) => N * 8 * 4 * 2 * CHAIN,
  reference({ N }, { x, y }) {
    let sum = 0;
    for (let lane = 0; lane < 4; lane++) {
      const [m, c] = [x[lane], x[4 + lane]];
      for (const start of [0, 1, 2, 3, -1, -2, -3, -4]) {
        let acc = m + start * c;
        for (let i = 0; i < CHAIN; i++) acc = acc * m + c;
        sum += acc;
      }
    }
    for (let n = 0; n < N; n++) y[n] = sum;
  },
});
