import wgsl from "../../shaders/embed.wgsl";
import { defineKernel } from "../runtime/kernel.js";

/** Token and position rows into the residual stream. Maths, shapes and source: the header of the WGSL file. */
export const embed = defineKernel({
  name: "embed",
  reads: { rows: "u32[N,4]", tokens: "f32|f16[V,D]", positions: "f32[P,D]?", status: "u32[2]?" },
  writes: { out: "f32[N,D]" },
  params: ["shift", "scale"],
  constants: [],
  forms: { direct: { wgsl, groups: ({ N, D }) => Math.ceil((N * D) / 4 / 64) } },
  check: ({ D }) => (D % 4 ? `D must be a multiple of 4, got ${D}` : undefined),
  bytes: ({ N, D, TOKENS_FORMAT, HAS_POSITIONS }) => N * D * (4 + (TOKENS_FORMAT ? 2 : 4) + 4 * HAS_POSITIONS) + 16 * N,
  flops: ({ N, D }) => 2 * N * D,
  reference({ N, D, shift, scale }, { rows, tokens, positions, out }) {
    for (let n = 0; n < N; n++) {
      for (let d = 0; d < D; d++) {
        const place = positions ? positions[(rows[4 * n + 1] + shift) * D + d] : 0;
        out[n * D + d] = tokens[rows[4 * n] * D + d] * scale + place;
      }
    }
  },
});
