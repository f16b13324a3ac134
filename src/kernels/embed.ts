import direct from "../../shaders/embed.wgsl";
import formats from "../../shaders/parts/formats.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";

// Without norm all elements are independent; with norm few rows leave cores idle, so that statistics are worth repeating.
const perRow = ({ N, D, HAS_GAMMA }: Dims): number => (HAS_GAMMA ? (N <= 64 && D >= 128 ? 8 : 1) : D / 4);

/**
 * The residual stream's first rows: out[n,:] = tokens[id - first,:] * scale + positions[position + shift,:] +
 * segments[segment,:], then layer norm where gamma is given. rows u32[N,4] = (id, position, _, segment); tokens [V,D]
 * in f32 or f16; positions f32[P,D]; segments f32[U,D]; gamma, beta f32[D]; out f32[N,D]. Rows of ids outside first ..
 * first+V-1 stay: a large table comes in parts. Numerics and source: shaders/embed.wgsl.
 */
export const embed = defineKernel({
  name: "embed",
  reads: {
    rows: "u32[N,4]",
    tokens: "f32|f16[V,D]",
    positions: "f32[P,D]?",
    segments: "f32[U,D]?",
    gamma: "f32[D]?",
    beta: "f32[D]?",
    status: "u32[2]?",
  },
  writes: { out: "f32[N,D]" },
  params: ["first", "shift", "scale", "eps"],
  constants: [],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, formats),
      groups: ({ N, SLICES }) => Math.ceil((N * SLICES) / 64),
      constants: (d) => ({ SLICES: perRow(d) }),
    },
  ],
  check({ D, HAS_GAMMA, HAS_BETA }) {
    if (D % 4) return `D must be a multiple of 4, got ${D}`;
    return HAS_BETA && !HAS_GAMMA ? "gamma must be given where beta is" : undefined;
  },
  bytes: ({ N, D, TOKENS_FORMAT, HAS_POSITIONS, HAS_SEGMENTS }) =>
    N * D * (4 + (TOKENS_FORMAT ? 2 : 4) + 4 * (HAS_POSITIONS + HAS_SEGMENTS)) + 16 * N,
  flops: ({ N, D, HAS_GAMMA }) => (HAS_GAMMA ? 10 : 2) * N * D,
  reference({ N, D, V, first, shift, scale, eps }, { rows, tokens, positions, segments, gamma, beta, out }) {
    for (let n = 0; n < N; n++) {
      const id = rows[4 * n] - first;
      if (id < 0 || id >= V) continue;
      const e = Float64Array.from({ length: D }, (_, d) => {
        const place = positions ? positions[(rows[4 * n + 1] + shift) * D + d] : 0;
        return tokens[id * D + d] * scale + place + (segments ? segments[rows[4 * n + 3] * D + d] : 0);
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
