import direct from "../../shaders/layernorm_residual.wgsl";
import shared from "../../shaders/layernorm_residual.shared.wgsl";
import subgroup from "../../shaders/layernorm_residual.subgroup.wgsl";
import common from "../../shaders/parts/layernorm_residual.wgsl";
import rowSum from "../../shaders/parts/row_sum.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { chunkOf, chunks } from "./chunks.js";
import { lanes, manyRows, span } from "./row_lanes.js";

const parts = ({ D }: Dims): string => chunks(D);
const registers = ({ D, CHUNKS }: Dims): number => CHUNKS * chunkOf(D);

/**
 * The norm at the end of a residual block: s = x + bias + residual (both optional), then out = (s - mean) / sqrt(var +
 * eps) * gamma + beta, or, where CENTRED is 0, out = s / sqrt(mean(s^2) + eps) * gamma + beta. x, residual, out
 * f32[N,D]; bias, gamma, beta f32[D]. Numerics and source: shaders/layernorm_residual*.wgsl.
 */
export const layernormResidual = defineKernel({
  name: "layernorm_residual",
  reads: {
    x: "f32[N,D]",
    bias: "f32[D]?",
    residual: "f32[N,D]?",
    gamma: "f32[D]",
    beta: "f32[D]?",
    status: "u32[2]?",
  },
  writes: { out: "f32[N,D]" },
  params: ["eps"],
  constants: ["CENTRED"],
  variants: [
    {
      name: "subgroup",
      wgsl: joinShader(subgroup, common),
      parts,
      needs: ["subgroups"],
      for: "gpu",
      fits: ({ D }) => D >= 128 && D <= 16384, // shorter rows leave most of a subgroup idle
      groups: ({ N }) => N,
      constants: (d) => lanes(Math.max(32, span(d)), d),
      tunings: (d) =>
        [32, 64, 128, 256].map((count) => lanes(count, d)).filter((one) => registers({ ...d, ...one }) <= 64),
    },
    {
      name: "shared",
      wgsl: joinShader(shared, common, rowSum),
      parts,
      for: "gpu",
      fits: ({ D }) => D <= 16384,
      groups: ({ N, ROWS }) => Math.ceil(N / ROWS),
      constants: (d) => manyRows(span(d), d),
      tunings: (d) =>
        [16, 32, 64, 128, 256].map((count) => manyRows(count, d)).filter((one) => registers({ ...d, ...one }) <= 64),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common),
      parts,
      groups: ({ N, ROWS }) => Math.ceil(Math.ceil(N / ROWS) / 8),
      constants: ({ N }) => ({ ROWS: N >= 64 ? 4 : 1 }), // fewer rows leave cores idle
      tunings: () => [{ ROWS: 1 }, { ROWS: 2 }, { ROWS: 4 }],
    },
  ],
  bytes: ({ N, D, HAS_RESIDUAL, HAS_BIAS, HAS_BETA }) => 4 * D * (N * (2 + HAS_RESIDUAL) + 1 + HAS_BIAS + HAS_BETA),
  flops: ({ N, D, CENTRED = 1 }) => (CENTRED ? 8 : 5) * N * D,
  reference({ N, D, eps, CENTRED = 1 }, { x, bias, residual, gamma, beta, out }) {
    for (let n = 0; n < N; n++) {
      const added = (d: number): number => (bias?.[d] ?? 0) + (residual?.[n * D + d] ?? 0);
      const row = Float64Array.from({ length: D }, (_, d) => x[n * D + d] + added(d));
      const mean = CENTRED ? row.reduce((total, value) => total + value, 0) / D : 0;
      const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / D;
      row.forEach((value, d) => {
        out[n * D + d] = ((value - mean) / Math.sqrt(variance + eps)) * gamma[d] + (beta?.[d] ?? 0);
      });
    }
  },
});
