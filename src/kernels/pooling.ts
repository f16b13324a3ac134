import direct from "../../shaders/pooling.wgsl";
import shared from "../../shaders/pooling.shared.wgsl";
import common from "../../shaders/parts/pooling.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { chunkOf, chunks } from "./chunks.js";

/** Values of the constant MODE, by the names of sentence-transformers. */
export const POOLING = { cls: 0, mean: 1, max: 2, lasttoken: 3, mean_sqrt_len_tokens: 4, weightedmean: 5 } as const;

/**
 * How states become one vector: the first one ("cls") or the "lasttoken"; their "mean", "max"imum, sum divided by the
 * root of their number, or the "weightedmean", in which later states weigh more.
 */
export type Pooling = keyof typeof POOLING;

const perSentence = ({ D, NORMALIZE }: Dims): number => (NORMALIZE ? 1 : D / chunkOf(D));
const parts = ({ D }: Dims): string => chunks(D);

const ONE_ROW = new Set<number>([POOLING.cls, POOLING.lasttoken]);

/**
 * One vector for each sentence: by MODE its first or last row, or the mean, maximum, sum by root of length or weighted
 * mean of its rows; scaled to length 1 with NORMALIZE. x f32[N,D]; spans u32[B,2] = (first row, rows); out f32[B,D]. Numerics and source: shaders/pooling*.wgsl.
 */
export const pooling = defineKernel({
  name: "pooling",
  reads: { x: "f32[N,D]", spans: "u32[B,2]" },
  writes: { out: "f32[B,D]" },
  params: [],
  constants: ["MODE", "NORMALIZE"],
  variants: [
    { name: "shared", wgsl: joinShader(shared, common), parts, for: "gpu", groups: ({ B }) => B },
    {
      name: "direct",
      wgsl: joinShader(direct, common),
      parts,
      groups: ({ B, SLICES }) => Math.ceil((B * SLICES) / 64),
      constants: (d) => ({ SLICES: perSentence(d) }),
    },
  ],
  bytes: ({ N, B, D, MODE = 0 }) => 4 * D * (B + (ONE_ROW.has(MODE) ? B : N)) + 8 * B,
  flops: ({ N, D }) => N * D,
  reference({ B, D, MODE = 0, NORMALIZE = 0 }, { x, spans, out }) {
    for (let b = 0; b < B; b++) {
      const [first, count] = [spans[2 * b], spans[2 * b + 1]];
      const row = Array.from({ length: D }, (_, d) =>
        poolColumn(
          MODE,
          Array.from({ length: count }, (_, t) => x[(first + t) * D + d]),
        ),
      );
      const length = NORMALIZE ? Math.max(1e-12, Math.hypot(...row)) : 1;
      row.forEach((value, d) => (out[b * D + d] = value / length));
    }
  },
});

/** The column of a sentence pooled by MODE. */
function poolColumn(mode: number, column: readonly number[]): number {
  const { length } = column;
  if (mode === POOLING.cls) return column[0];
  if (mode === POOLING.lasttoken) return column[length - 1];
  if (mode === POOLING.max) return column.reduce((a, c) => Math.max(a, c)); // NaN stays
  const weighted = mode === POOLING.weightedmean;
  const sum = column.reduce((a, c, t) => a + c * (weighted ? t + 1 : 1), 0);
  if (weighted) return sum / ((length * (length + 1)) / 2);
  return sum / (mode === POOLING.mean ? length : Math.sqrt(length));
}
