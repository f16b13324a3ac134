import wgsl from "../../shaders/layernorm_residual.wgsl";
import shared from "../../shaders/layernorm_residual.shared.wgsl";
import subgroup from "../../shaders/layernorm_residual.subgroup.wgsl";
import { type Dims, defineKernel, type Form, type FormName } from "../runtime/kernel.js";

// LANES invocations a row with up to VECTORS vectors each; rows of few vectors share a workgroup.
const lanes = (LANES: number, { D }: Dims): Dims => ({
  LANES,
  ROWS: Math.max(1, 64 / LANES),
  VECTORS: Math.ceil(D / 4 / LANES),
});
const span = ({ D }: Dims): number => Math.min(256, 2 ** Math.max(2, Math.ceil(Math.log2(D / 16))));

/** The forms of a norm of rows: how rows are shared out, by N and D. */
export const normForms = (texts: Readonly<Record<FormName, string>>): Record<FormName, Form> => ({
  direct: {
    wgsl: texts.direct,
    groups: ({ N, ROWS }) => Math.ceil(Math.ceil(N / ROWS) / 8),
    constants: ({ N }) => ({ ROWS: N >= 64 ? 4 : 1 }), // fewer rows leave cores idle
    variants: () => [{ ROWS: 1 }, { ROWS: 2 }, { ROWS: 4 }],
  },
  shared: {
    wgsl: texts.shared,
    groups: ({ N, ROWS }) => Math.ceil(N / ROWS),
    constants: (d) => lanes(span(d), d),
    fits: ({ D }) => D <= 16384,
    variants: (d) => [16, 32, 64, 128, 256].map((count) => lanes(count, d)).filter(({ VECTORS }) => VECTORS <= 16),
  },
  subgroup: {
    wgsl: texts.subgroup,
    groups: ({ N }) => N,
    constants: (d) => oneRow(Math.max(32, span(d)), d),
    fits: ({ D }) => D >= 128 && D <= 16384, // shorter rows leave most of a subgroup idle
    variants: (d) => [32, 64, 128, 256].map((count) => oneRow(count, d)).filter(({ VECTORS }) => VECTORS <= 16),
  },
});

function oneRow(count: number, d: Dims): Dims {
  const { LANES, VECTORS } = lanes(count, d);
  return { LANES, VECTORS };
}

/** Residual add and layer norm. Maths, shapes and source: the header of the WGSL file. */
export const layernormResidual = defineKernel({
  name: "layernorm_residual",
  reads: { x: "f32[N,D]", residual: "f32[N,D]?", gamma: "f32[D]", beta: "f32[D]", status: "u32[2]?" },
  writes: { sum: "f32[N,D]?", out: "f32[N,D]" },
  params: ["eps"],
  constants: [],
  forms: normForms({ direct: wgsl, shared, subgroup }),
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
