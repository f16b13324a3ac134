import wgsl from "../../shaders/rmsnorm_residual.wgsl";
import shared from "../../shaders/rmsnorm_residual.shared.wgsl";
import subgroup from "../../shaders/rmsnorm_residual.subgroup.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { normForms } from "./layernorm_residual.js";

/** Residual add and root-mean-square norm. Maths, shapes and source: the header of the WGSL file. */
export const rmsnormResidual = defineKernel({
  name: "rmsnorm_residual",
  reads: { x: "f32[N,D]", residual: "f32[N,D]?", gamma: "f32[D]", status: "u32[2]?" },
  writes: { sum: "f32[N,D]?", out: "f32[N,D]" },
  params: ["eps"],
  constants: [],
  forms: normForms({ direct: wgsl, shared, subgroup }),
  check: ({ D }) => (D % 4 ? `D must be a multiple of 4, got ${D}` : undefined),
  bytes: ({ N, D, HAS_RESIDUAL, HAS_SUM }) => 4 * (N * D * (2 + HAS_RESIDUAL + HAS_SUM) + D),
  flops: ({ N, D }) => 5 * N * D,
  reference({ N, D, eps }, { x, residual, gamma, sum, out }) {
    for (let n = 0; n < N; n++) {
      const row = Float64Array.from({ length: D }, (_, d) => x[n * D + d] + (residual?.[n * D + d] ?? 0));
      const scale = 1 / Math.sqrt(row.reduce((total, value) => total + value * value, 0) / D + eps);
      row.forEach((value, d) => {
        if (sum) sum[n * D + d] = value;
        out[n * D + d] = value * scale * gamma[d];
      });
    }
  },
});
