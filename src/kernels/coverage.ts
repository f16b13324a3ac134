import direct from "../../shaders/coverage.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import settings from "../../shaders/parts/settings.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { NO_ID } from "./constants.js";
import { readSettings } from "./search_host.js";
import {
  FINISHED,
  FINISHED_FIELDS,
  mostHypotheses,
  PLANE,
  ROW,
  ROW_FIELDS,
  SENTENCE_HEAD,
  tableAt,
} from "./search_state.js";

/**
 * Adds what the rows of a step attend to, weights f32[R,1,T], to what the beams that they continue have attended to,
 * attended f32[R,2,T], in two tables a row that take turns; and writes to the plane `coverage` of scores f32[5,Q] the sum over
 * the source of log(min(attended, 1)). Beams of OpenNMT's search that have ended attend no more. Rows whose sentence has
 * no coverage penalty are left alone. rows u32[R,4]; sentences u32[B,Y]. Numerics and source: shaders/coverage.wgsl.
 */
export const coverage = defineKernel({
  name: "coverage",
  reads: { rows: "u32[R,4]", sentences: "u32[B,Y]", weights: "f32[R,1,T]", status: "u32[2]?" },
  writes: { attended: "f32[R,2,T]", scores: "f32[5,Q]" },
  params: [],
  constants: [],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, searchState, settings, constants),
      groups: ({ R }) => Math.ceil(R / 64),
    },
  ],
  bytes: ({ R, T }) => 4 * R * (3 * T + ROW_FIELDS + 2),
  flops: ({ R, T }) => 4 * R * T,
  reference({ Q, R, T, Y }, { rows, sentences, weights, attended, scores }) {
    for (let r = 0; r < R; r++) {
      const [position, sentence, parent] = [ROW.position, ROW.sentence, ROW.parent].map(
        (field) => rows[r * ROW_FIELDS + field],
      );
      if (sentence === NO_ID) continue;
      const { first, coverage_penalty } = readSettings(sentences, sentence, mostHypotheses(Y));
      if (coverage_penalty === 0) continue;
      const slot = sentence * Y + SENTENCE_HEAD + FINISHED_FIELDS * (r - first);
      const ended = sentences[slot + FINISHED.length] > 0;
      const [old, fresh] = [2 * (first + parent) + tableAt(position + 1), 2 * r + tableAt(position)];
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
