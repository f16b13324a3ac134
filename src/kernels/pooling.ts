import direct from "../../shaders/pooling.wgsl";
import shared from "../../shaders/pooling.shared.wgsl";
import common from "../../shaders/parts/pooling.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { chunkOf, chunks } from "./chunks.js";

/** Values of the constant MODE. */
export const POOLING = { cls: 0, mean: 1, max: 2 } as const;

/** How states become one vector: the first one, their mean, or their maximum. */
export type Pooling = keyof typeof POOLING;

const perSentence = ({ D, NORMALIZE }: Dims): number => (NORMALIZE ? 1 : D / chunkOf(D));
const parts = ({ D }: Dims): string => chunks(D);

/**
 * One vector for each sentence: by MODE its first row, or the mean or maximum of its rows; scaled to length 1 with
 * NORMALIZE. x f32[N,D]; spans u32[B,2] = (first row, rows); out f32[B,D]. Numerics and source: shaders/pooling*.wgsl.
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
  bytes: ({ N, B, D, MODE = 0 }) => 4 * D * (B + (MODE === POOLING.cls ? B : N)) + 8 * B,
  flops: ({ N, D }) => N * D,
  reference({ B, D, MODE = 0, NORMALIZE = 0 }, { x, spans, out }) {
    for (let b = 0; b < B; b++) {
      const [first, count] = [spans[2 * b], spans[2 * b + 1]];
      const row = Array.from({ length: D }, (_, d) => {
        const column = Array.from({ length: MODE === POOLING.cls ? 1 : count }, (_, t) => x[(first + t) * D + d]);
        if (MODE === POOLING.max) return column.reduce((a, c) => Math.max(a, c)); // NaN stays
        return column.reduce((a, c) => a + c, 0) / column.length;
      });
      const length = NORMALIZE ? Math.max(1e-12, Math.hypot(...row)) : 1;
      row.forEach((value, d) => (out[b * D + d] = value / length));
    }
  },
});
