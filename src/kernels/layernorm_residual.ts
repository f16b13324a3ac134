import wgsl from "../../shaders/layernorm_residual.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";

// Few rows leave cores idle: split them, and repeat the statistics in every slice.
export const slices = ({ N, D }: Dims): number => (N * 8 <= 512 && D >= 128 ? 8 : 1);

/** Residual add and layer norm. Maths, shapes and source: the header of the WGSL file. */
export const layernormResidual = defineKernel({
  name: "layernorm_residual",
  reads: { x: "f32[N,D]", residual: "f32[N,D]?", gamma: "f32[D]", beta: "f32[D]", status: "u32[2]?" },
  writes: { sum: "f32[N,D]?", out: "f32[N,D]" },
  params: ["eps"],
  constants: [],
  forms: {
    direct: { wgsl, groups: (d) => Math.ceil((d.N * slices(d)) / 64), constants: (d) => ({ SLICES: slices(d) }) },
  },
  check: ({ D }) => (D % 4 ? `D must be a multiple of 4, got ${D}` : undefined),
  bytes: ({ N, D, HAS_RESIDUAL, HAS_SUM }) => 4 * (N * D * (2 + HAS_RESIDUAL + HAS_SUM) + 2 * D),
  flops: ({ N, D }) => 8 * N * D,
  reference({ N, D, eps }, { x, residual, gamma, beta, sum, out }) {
    for (let n = 0; n < N; n++) {
      const row = Float64Array.from({ length: D }, (_, d) => x[n * D + d] + (residual?.[n * D + d] ?? 0));
      const mean = row.reduce((total, value) => total + value, 0) / D;
      const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / D;
      row.forEach((value, d) => {
        if (sum) sum[n * D + d] = value;
        out[n * D + d] = ((value - mean) / Math.sqrt(variance + eps)) * gamma[d] + beta[d];
      });
    }
  },
});
