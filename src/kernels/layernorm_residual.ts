import direct from "../../shaders/layernorm_residual.wgsl";
import shared from "../../shaders/layernorm_residual.shared.wgsl";
import subgroup from "../../shaders/layernorm_residual.subgroup.wgsl";
import interfaceOf from "../../shaders/parts/layernorm_residual.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";

// LANES invocations a row with up to VECTORS vectors each; rows of few vectors share a workgroup.
const lanes = (LANES: number, { D }: Dims): Dims => ({ LANES, VECTORS: Math.ceil(D / 4 / LANES) });
const manyRows = (LANES: number, d: Dims): Dims => ({ ...lanes(LANES, d), ROWS: Math.max(1, 64 / LANES) });
const span = ({ D }: Dims): number => Math.min(256, 2 ** Math.max(2, Math.ceil(Math.log2(D / 16))));

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
      wgsl: joinShader(subgroup, interfaceOf),
      needs: ["subgroups"],
      for: "gpu",
      fits: ({ D }) => D >= 128 && D <= 16384, // shorter rows leave most of a subgroup idle
      groups: ({ N }) => N,
      constants: (d) => lanes(Math.max(32, span(d)), d),
      tunings: (d) => [32, 64, 128, 256].map((count) => lanes(count, d)).filter(({ VECTORS }) => VECTORS <= 16),
    },
    {
      name: "shared",
      wgsl: joinShader(shared, interfaceOf),
      for: "gpu",
      fits: ({ D }) => D <= 16384,
      groups: ({ N, ROWS }) => Math.ceil(N / ROWS),
      constants: (d) => manyRows(span(d), d),
      tunings: (d) => [16, 32, 64, 128, 256].map((count) => manyRows(count, d)).filter(({ VECTORS }) => VECTORS <= 16),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, interfaceOf),
      groups: ({ N, ROWS }) => Math.ceil(Math.ceil(N / ROWS) / 8),
      constants: ({ N }) => ({ ROWS: N >= 64 ? 4 : 1 }), // fewer rows leave cores idle
      tunings: () => [{ ROWS: 1 }, { ROWS: 2 }, { ROWS: 4 }],
    },
  ],
  check: ({ D }) => (D % 4 ? `D must be a multiple of 4, got ${D}` : undefined),
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
