import direct from "../../shaders/dynamic_range.wgsl";
import { defineKernel } from "../runtime/kernel.js";

/**
 * Logarithms of a recording limited to `range` below their peak, and scaled: out[t,c] = (max(x[t,c], peak - range) +
 * 4) / 4. Rows of `out` past those of `x` are silence, where x is `silence`. x f32[N,C]; peak f32[1,1]; out f32[T,C].
 * Numerics and source: shaders/dynamic_range.wgsl.
 */
export const dynamicRange = defineKernel({
  name: "dynamic_range",
  reads: { x: "f32[N,C]", peak: "f32[1,1]" },
  writes: { out: "f32[T,C]" },
  params: ["range", "silence"],
  constants: [],
  variants: [{ name: "direct", wgsl: direct, groups: ({ T, C }) => Math.ceil((T * C) / 64) }],
  check: ({ N, T }) => (T < N ? `T must be at least N=${N}, got ${T}` : undefined),
  bytes: ({ N, T, C }) => 4 * (N * C + T * C + 1),
  flops: ({ T, C }) => 3 * T * C,
  reference({ N, T, C, range, silence }, { x, peak, out }) {
    for (let i = 0; i < T * C; i++) out[i] = (Math.max(i < N * C ? x[i] : silence, peak[0] - range) + 4) / 4;
  },
});
