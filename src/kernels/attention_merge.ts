import direct from "../../shaders/attention_merge.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import sums from "../../shaders/parts/sums.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { chunkOf, chunks } from "./chunks.js";
import { NO_ID } from "./constants.js";

/**
 * The attention of a step from the sums of each 64 keys that `attention_step` leaves: out[r,h,:] = sum_i w_i sum_i /
 * sum_i w_i total_i with w_i = exp(top_i - max top), over the parts up to the row's position; zeros for an idle row. rows
 * u32[R,4]; parts f32[R,H*Y]; out f32[R,H*E]. Numerics and source: shaders/attention_merge.wgsl.
 */
export const attentionMerge = defineKernel({
  name: "attention_merge",
  reads: { rows: "u32[R,4]", parts: "f32[R,H*Y]", status: "u32[2]?" },
  writes: { out: "f32[R,H*E]" },
  params: ["H", "E", "Y"],
  constants: [],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, sums, constants),
      parts: ({ E }) => chunks(E),
      groups: ({ R, H, E }) => Math.ceil((R * H * E) / chunkOf(E) / 64),
    },
  ],
  check: ({ E, Y }) => (Y % (E + 8) ? `Y must be a multiple of E+8=${E + 8}, got ${Y}` : undefined),
  bytes: ({ R, H, E, Y }) => 4 * R * H * (E + Y / 2), // half of the parts on average
  flops: ({ R, H, Y }) => 2 * R * H * Y,
  reference({ R, H, E, Y }, { rows, parts, out }) {
    const width = E + 8;
    for (let r = 0; r < R; r++) {
      const idle = rows[4 * r + 2] === NO_ID;
      const count = Math.floor(rows[4 * r + 1] / 64) + 1;
      for (let h = 0; h < H; h++) {
        const at = Array.from({ length: count }, (_, i) => (r * H + h) * Y + i * width);
        const top = at.reduce((most, part) => Math.max(most, parts[part + E]), -Infinity);
        const weights = at.map((part) => Math.exp(parts[part + E] - top));
        const total = at.reduce((sum, part, i) => sum + weights[i] * parts[part + E + 4], 0);
        const sum = (e: number): number => at.reduce((so, part, i) => so + weights[i] * parts[part + e], 0);
        for (let e = 0; e < E; e++) out[(r * H + h) * E + e] = idle ? 0 : sum(e) / total;
      }
    }
  },
});
