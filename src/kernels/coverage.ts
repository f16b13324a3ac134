import direct from "../../shaders/coverage.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import {
  FINISHED,
  FINISHED_FIELDS,
  PLANE,
  ROW,
  ROW_FIELDS,
  SENTENCE_HEAD,
  sentenceWidth,
  tableAt,
} from "./search_state.js";

/**
 * Adds what the rows of a step attend to, weights f32[R,1,T], to what the beams that they continue have attended to,
 * attended f32[2,R,T], in two tables that take turns; and writes to the plane `coverage` of scores f32[5,Q] the sum over
 * the source of log(min(attended, 1)). Beams of OpenNMT's search that have ended attend no more. rows u32[R,4];
 * sentences u32[B,4+3*A]. Numerics and source: shaders/coverage.wgsl.
 */
export const coverage = defineKernel({
  name: "coverage",
  reads: { rows: "u32[R,4]", sentences: "u32[B,4+3*A]", weights: "f32[R,1,T]", status: "u32[2]?" },
  writes: { attended: "f32[2,R,T]", scores: "f32[5,Q]" },
  params: ["W", "A"],
  constants: [],
  variants: [{ name: "direct", wgsl: joinShader(direct, searchState), groups: ({ R }) => Math.ceil(R / 64) }],
  bytes: ({ R, T }) => 4 * R * (3 * T + ROW_FIELDS + 2),
  flops: ({ R, T }) => 4 * R * T,
  reference({ W, A, Q, R, T }, { rows, sentences, weights, attended, scores }) {
    for (let r = 0; r < R; r++) {
      const [position, sentence, parent] = [ROW.position, ROW.sentence, ROW.parent].map(
        (field) => rows[r * ROW_FIELDS + field],
      );
      const slot = sentence * sentenceWidth(A) + SENTENCE_HEAD + FINISHED_FIELDS * (r - sentence * W);
      const ended = sentences[slot + FINISHED.length] > 0;
      const [old, fresh] = [tableAt(position + 1) * R + sentence * W + parent, tableAt(position) * R + r];
      let sum = 0;
      for (let t = 0; t < T; t++) {
        const seen = attended[old * T + t] + (ended ? 0 : weights[r * T + t]);
        attended[fresh * T + t] = seen;
        if (seen > 0) sum += Math.log(Math.min(seen, 1));
      }
      scores[PLANE.coverage * Q + r] = sum;
    }
  },
});
