import direct from "../../shaders/sample.wgsl";
import shared from "../../shaders/sample.shared.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import draw from "../../shaders/parts/draw.wgsl";
import noise from "../../shaders/parts/noise.wgsl";
import common from "../../shaders/parts/sample.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import settings from "../../shaders/parts/settings.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { ABSENT, BANNED, LARGEST, NO_ID } from "./constants.js";
import { drawOf } from "./noise.js";

interface Scored {
  readonly score: number;
  readonly id: number;
}

/** The ids that top-k, top-p and min-p keep, applied in this order. Equal scores are kept or dropped together. */
function keptIds(allowed: readonly Scored[], top_k: number, top_p: number, min_p: number): number[] {
  const sorted = [...allowed].sort((a, b) => b.score - a.score);
  const ranked =
    top_k > 0 ? sorted.filter(({ score }) => score >= sorted[Math.min(top_k, sorted.length) - 1].score) : sorted;
  const weights = ranked.map(({ score }) => Math.exp(score - sorted[0].score));
  const total = weights.reduce((a, b) => a + b, 0);
  const above = (score: number): number =>
    ranked.reduce((sum, other, i) => sum + (other.score > score ? weights[i] : 0), 0);
  const nucleus = top_p < 1 ? ranked.filter(({ score }) => above(score) < top_p * total) : ranked;
  return nucleus.filter(({ score }) => Math.exp(score - sorted[0].score) >= min_p).map(({ id }) => id);
}

/**
 * Draws one token for each row whose sentence asks for it, from softmax(logits / temperature), restricted by top_k, top_p
 * and min_p in this order: the argmax of logit / temperature + g over the tokens that are kept, with Gumbel noise g from
 * a hash of (seed, draw, position, id). Banned tokens are never kept. Other rows are left alone. rows u32[R,4]; sentences
 * u32[B,Y]; logits f32[R,V]; values f32[R,G,C+2] and indices u32[R,G,C] in the format of `topk`, which writes the other
 * rows: the first part has the token, for log-probabilities among the kept, the others have nothing; ABSENT and NO_ID
 * where all are banned. On a GPU `sample_parts` comes before, so that many cores read the logits: sums f32[R,P,X+2] and
 * picks u32[R,P,2*X+1] are its results for the same logits, and say the same; without them P and X are 0.
 * Numerics and source: shaders/sample*.wgsl.
 */
export const sample = defineKernel({
  name: "sample",
  reads: {
    rows: "u32[R,4]",
    sentences: "u32[B,Y]",
    logits: "f32[R,V]",
    sums: "f32[R,P,X+2]?",
    picks: "u32[R,P,2*X+1]?",
    status: "u32[2]?",
  },
  writes: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]" },
  params: ["G", "C", "P", "X"],
  constants: [],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, draw, noise, searchState, settings, constants),
      for: "gpu",
      fits: ({ P, HAS_SUMS, HAS_PICKS }) => HAS_SUMS + HAS_PICKS === 2 && P <= 768, // which workgroup memory holds
      groups: ({ R }) => R,
      constants: ({ P }) => ({ LISTS: P, LANES: Math.max(32, Math.min(256, 2 ** Math.ceil(Math.log2(P)))) }),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, draw, noise, searchState, settings, constants),
      groups: ({ R }) => Math.ceil(R / 8),
    },
  ],
  bytes: ({ R, V }) => 4 * R * V,
  flops: ({ R, V }) => 10 * R * V,
  reference({ R, V, Y, G, C }, { rows, sentences, logits, values, indices }) {
    for (let r = 0; r < R; r++) {
      const asked = drawOf({ rows, sentences }, r, Y);
      if (!asked) continue;
      const { temperature, top_k, top_p, min_p, noise } = asked;
      const row = Array.from({ length: V }, (_, id) => logits[r * V + id]);
      const top = row.reduce((most, logit) => Math.max(most, logit), -Infinity);
      const scores = row.map((logit) => (logit - top) / temperature);
      const drawn = (id: number): number => scores[id] + noise(id);
      const better = (best: number, id: number): number =>
        best === NO_ID || drawn(id) > drawn(best) || (drawn(id) === drawn(best) && id < best) ? id : best;
      const allowed = scores.map((score, id) => ({ score, id })).filter(({ id }) => !(row[id] <= BANNED));
      const kept = keptIds(allowed, top_k, top_p, min_p);
      const token = kept.reduce(better, NO_ID);
      const finite = row.every((logit) => Math.abs(logit) <= LARGEST);
      for (let part = r * G; part < (r + 1) * G; part++) {
        const here = part === r * G;
        for (let c = 0; c < asked.C; c++) {
          values[part * (C + 2) + c] = here && c === 0 && token !== NO_ID ? scores[token] : ABSENT;
          indices[part * C + c] = here && c === 0 ? token : NO_ID;
        }
        values[part * (C + 2) + C] = here ? 0 : ABSENT;
        const total = finite ? kept.reduce((sum, id) => sum + Math.exp(scores[id]), 0) : -1;
        values[part * (C + 2) + C + 1] = here ? total : 0;
      }
    }
  },
});
