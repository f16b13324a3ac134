import direct from "../../shaders/embed.wgsl";
import shared from "../../shaders/embed.shared.wgsl";
import common from "../../shaders/parts/embed.wgsl";
import formats from "../../shaders/parts/formats.wgsl";
import load1 from "../../shaders/parts/load1.wgsl";
import load4 from "../../shaders/parts/load4.wgsl";
import rowSum from "../../shaders/parts/row_sum.wgsl";
import scale from "../../shaders/parts/scale.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { chunk1, chunk4, chunkOf } from "./chunks.js";
import { ANY_FORMAT, weightBytes } from "./formats.js";
import { manyRows, span } from "./row_lanes.js";

const parts = ({ D }: Dims): string => (chunkOf(D) === 4 ? joinShader(chunk4, load4) : joinShader(chunk1, load1));

// Without norm all elements are independent. With norm, few rows leave cores idle, so repeating statistics pays.
const perRow = ({ N, D, HAS_GAMMA }: Dims): number => (HAS_GAMMA ? (N <= 64 && D >= 128 ? 8 : 1) : D / chunkOf(D));

/**
 * Embeddings: out[n,:] = weight[id - first,:] * scale + positions[position + shift,:] + segments[segment,:], then layer
 * norm where gamma is given. The token `unplaced` has no position. rows u32[N,4] = (id, position, _, segment); weight [V,D] in any format;
 * positions f32[P,D]; segments f32[U,D]; gamma, beta f32[D]; out f32[N,D]. A large table comes in parts, in order: that
 * from `first` = 0 on fills rows with ids that it has not with NaN, the others leave such rows as they are. Positions
 * and segments past their tables make NaN as well. Numerics and source: shaders/embed*.wgsl.
 */
export const embed = defineKernel({
  name: "embed",
  reads: {
    rows: "u32[N,4]",
    weight: `${ANY_FORMAT}[V,D]`,
    positions: "f32[P,D]?",
    segments: "f32[U,D]?",
    gamma: "f32[D]?",
    beta: "f32[D]?",
    status: "u32[2]?",
  },
  writes: { out: "f32[N,D]" },
  params: ["first", "shift", "unplaced", "scale", "eps"],
  constants: [],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, rowSum, formats, scale),
      parts,
      for: "gpu",
      fits: ({ D, HAS_GAMMA }) => HAS_GAMMA === 1 && D <= 16384, // without norm all chunks are independent
      groups: ({ N, ROWS }) => Math.ceil(N / ROWS),
      constants: (d) => manyRows(span(d), d),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, formats, scale),
      parts,
      groups: ({ N, SLICES }) => Math.ceil((N * SLICES) / 64),
      constants: (d) => ({ SLICES: perRow(d) }),
    },
  ],
  check: ({ HAS_GAMMA, HAS_BETA }) => (HAS_BETA && !HAS_GAMMA ? "gamma must be given where beta is" : undefined),
  bytes: ({ N, D, WEIGHT_FORMAT, HAS_POSITIONS, HAS_SEGMENTS }) =>
    weightBytes([N, D], WEIGHT_FORMAT) + 4 * N * D * (1 + HAS_POSITIONS + HAS_SEGMENTS) + 16 * N,
  flops: ({ N, D, HAS_GAMMA }) => (HAS_GAMMA ? 10 : 2) * N * D,
  reference(
    { N, D, V, P, U, first, shift, unplaced, scale, eps },
    { rows, weight, positions, segments, gamma, beta, out },
  ) {
    for (let n = 0; n < N; n++) {
      const [id, position, segment] = [rows[4 * n] - first, rows[4 * n + 1] + shift, rows[4 * n + 3]];
      const here = id >= 0 && id < V;
      if (!here && first > 0) continue;
      const known = here && !(positions && position >= P) && !(segments && segment >= U);
      const e = Float64Array.from({ length: D }, (_, d) => {
        if (!known) return NaN;
        const place = positions && rows[4 * n] !== unplaced ? positions[position * D + d] : 0;
        return weight[id * D + d] * scale + place + (segments ? segments[segment * D + d] : 0);
      });
      const mean = e.reduce((total, value) => total + value, 0) / D;
      const variance = e.reduce((total, value) => total + (value - mean) ** 2, 0) / D;
      e.forEach((value, d) => {
        const normed = gamma ? ((value - mean) / Math.sqrt(variance + eps)) * gamma[d] : value;
        out[n * D + d] = normed + (beta ? beta[d] : 0);
      });
    }
  },
});
