// rmsnorm_residual: fold a block's output into the residual stream, then normalise it by its root mean square.
//   sum[n,:] = x[n,:] + residual[n,:]                                  (both optional: without residual, sum is x)
//   out[n,:] = sum * rsqrt(mean(sum^2) + eps) * gamma
// Shapes   x, residual, sum, out: f32[N,D]   gamma: f32[D]   D a multiple of 4
// Launch   direct: one invocation takes ROWS rows, which share the loads of gamma; 8 invocations a workgroup, one
//          vector of a CPU adapter
// Numerics f32; a row's bits do not depend on N
// Source   Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4; LlamaRMSNorm of Transformers
struct Params { N: u32, D: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<vec4f>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

const ROWS: u32 = 1;          // 1 to 4
const HAS_RESIDUAL: u32 = 0;
const HAS_SUM: u32 = 0;
const HAS_STATUS: u32 = 0;

fn stream(at: u32) -> vec4f {
  if (HAS_RESIDUAL == 1) { return x[at] + residual[at]; }
  return x[at];
}

// 1 / root mean square of a row.
fn scale(row: u32) -> f32 {
  var squares = vec4f();
  for (var d = 0u; d < params.D / 4; d++) {
    let s = stream(row + d);
    squares += s * s;
  }
  return inverseSqrt((squares.x + squares.y + squares.z + squares.w) / f32(params.D) + params.eps);
}

fn put(at: u32, factor: f32, g: vec4f) {
  let s = stream(at);
  if (HAS_SUM == 1) { sum[at] = s; }
  out[at] = s * factor * g;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let n = ((group.y * grid.x + group.x) * 8 + lane) * ROWS;
  if (n >= params.N) { return; }
  let width = params.D / 4;
  let r0 = n * width; let r1 = r0 + width; let r2 = r1 + width; let r3 = r2 + width;
  let left = params.N - n;
  var s: array<f32, 4>;
  for (var j = 0u; j < min(ROWS, left); j++) { s[j] = scale((n + j) * width); } // not unrolled
  let s0 = s[0]; let s1 = s[1]; let s2 = s[2]; let s3 = s[3];
  for (var d = 0u; d < width; d++) {
    let g = gamma[d];
    if (ROWS > 0) { put(r0 + d, s0, g); }
    if (ROWS > 1 && left > 1) { put(r1 + d, s1, g); }
    if (ROWS > 2 && left > 2) { put(r2 + d, s2, g); }
    if (ROWS > 3 && left > 3) { put(r3 + d, s3, g); }
  }
}
