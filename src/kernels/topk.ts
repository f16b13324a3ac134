import direct from "../../shaders/topk.wgsl";
import shared from "../../shaders/topk.shared.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import settings from "../../shaders/parts/settings.wgsl";
import common from "../../shaders/parts/topk.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { ABSENT, BANNED, LARGEST, NO_ID } from "./constants.js";
import { FLAG, ROW, ROW_FIELDS, SETTING } from "./search_state.js";

/** Most candidates of a part. */
export const MOST_CANDIDATES = 128;

/**
 * The best C logits of each of G parts of the vocabulary, best first, of equal ones the smaller id first; and what
 * log-softmax needs. rows u32[R,4]; sentences u32[B,Y]; logits f32[R,V]; values f32[R,G,C+2] = the C logits, their
 * maximum, sum exp(logit - maximum) over the part (-1 if a logit is not finite); indices u32[R,G,C]. Banned logits are no
 * candidates; absent ones have value ABSENT and id NO_ID. Given rows, it leaves those alone that are idle; given sentences
 * too, it lists as many candidates of a row as that asks for, and leaves rows alone that draw their tokens. Numerics and
 * source: shaders/topk*.wgsl.
 */
export const topk = defineKernel({
  name: "topk",
  reads: { rows: "u32[R,4]?", sentences: "u32[B,Y]?", logits: "f32[R,V]", status: "u32[2]?" },
  writes: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]" },
  params: ["G", "C"],
  constants: [],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, searchState, settings, constants),
      for: "gpu",
      groups: ({ R, G }) => R * G,
      // about 8 logits an invocation, or more of a long part: the one whose best is taken reads its share again
      constants: ({ V, G }) => ({ LANES: Math.min(256, 2 ** Math.ceil(Math.log2(Math.max(64, V / G) / 8))) }),
      tunings: () => [{ LANES: 64 }, { LANES: 128 }, { LANES: 256 }],
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, searchState, settings, constants),
      groups: ({ R, G }) => Math.ceil((R * G) / 8),
      constants: ({ C }) => ({ LIST: C }),
    },
  ],
  check: ({ C }) => (C > MOST_CANDIDATES ? `C must be at most ${MOST_CANDIDATES}, got ${C}` : undefined),
  bytes: ({ R, V, G, C }) => 4 * R * (V + G * (2 * C + 2)),
  flops: ({ R, V }) => 4 * R * V,
  reference({ R, V, Y, G, C }, { rows, sentences, logits, values, indices }) {
    const length = Math.ceil(V / G);
    for (let part = 0; part < R * G; part++) {
      const [r, g] = [Math.floor(part / G), part % G];
      const sentence = rows ? rows[r * ROW_FIELDS + ROW.sentence] : 0;
      if (sentence === NO_ID) continue;
      if (sentences && sentences[sentence * Y + SETTING.flags] & FLAG.samples) continue;
      const count = sentences ? sentences[sentence * Y + SETTING.C] : C;
      const ids = Array.from({ length: Math.max(0, Math.min(length, V - g * length)) }, (_, i) => g * length + i);
      const logit = (id: number): number => logits[r * V + id];
      const sorted = [...ids].sort((a, b) => logit(b) - logit(a) || a - b);
      const allowed = sorted.filter((id) => !(logit(id) <= BANNED));
      for (let c = 0; c < count; c++) {
        values[part * (C + 2) + c] = c < allowed.length ? logit(allowed[c]) : ABSENT;
        indices[part * C + c] = c < allowed.length ? allowed[c] : NO_ID;
      }
      const top = sorted.length ? logit(sorted[0]) : ABSENT;
      const finite = ids.every((id) => Math.abs(logit(id)) <= LARGEST);
      values[part * (C + 2) + C] = top;
      values[part * (C + 2) + C + 1] = finite ? ids.reduce((sum, id) => sum + Math.exp(logit(id) - top), 0) : -1;
    }
  },
});
