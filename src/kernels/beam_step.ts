import direct from "../../shaders/beam_step.wgsl";
import shared from "../../shaders/beam_step.shared.wgsl";
import common from "../../shaders/parts/beam_step.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import opennmt from "../../shaders/parts/opennmt.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import settings from "../../shaders/parts/settings.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { stepSentence } from "./beam_reference.js";
import { mostHypotheses, planeWidth, sentenceWidth } from "./search_state.js";

/**
 * How many candidates of each row a step needs for W beams with so many end ids, of the `beams` that all groups of a
 * prompt have: those that go on, those that end, and those that the tokens of other groups may displace.
 */
export const candidateCount = (W: number, ends: number, beams = W): number => (beams === 1 ? 1 : beams + ends);

/** Room for so many in an array: few sizes, so that few shaders are compiled. */
const roomFor = (count: number): number => 4 ** Math.ceil(Math.log2(count) / 2);

/**
 * One step of the search of each open sentence, by its own settings. As `_beam_search` of Transformers 5: of the candidates of all its beams, the
 * best W that do not end go on; those that end and are among the best W join its finished hypotheses, of which the best A stay; it is done when no
 * beam can do better, or none goes on. With the flag `opennmt` as in OpenNMT-tf's `BeamSearch`: the best W go on, whether they end or
 * not, until all have ended. Where fewer than W go on, the others are dead: they copy the first, and their score LOWEST
 * lets them neither go on nor finish. The groups of a prompt take turns, each after those before it. A sentence that ends makes its rows idle and
 * counts in `status`; one with logits that are not finite ends as it is. values f32[R,G,C+2] and indices u32[R,G,C] come
 * from `topk` or `sample`; lists u32[X] has for each sentence what `packRules` packs. The state is updated in place
 * (`search_state.ts`): rows u32[R,4], scores f32[5,Q], sentences u32[B,Y], indirection u32[R,3,M], status u32[2]; R may
 * be less than all rows of the search. W is the most of any sentence. Numerics and source: shaders/beam_step*.wgsl.
 */
export const beamStep = defineKernel({
  name: "beam_step",
  reads: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]", lists: "u32[X]" },
  writes: {
    rows: "u32[R,4]",
    scores: "f32[5,Q]",
    sentences: "u32[B,Y]",
    indirection: "u32[R,3,M]",
    status: "u32[2]",
  },
  params: ["W", "V"],
  constants: [],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, opennmt, searchState, settings, constants),
      for: "gpu",
      fits: ({ W, G }) => W <= 32 && W * G <= 512,
      groups: ({ B }) => B,
      constants: () => ({ LANES: 64 }),
      tunings: () => [{ LANES: 32 }, { LANES: 64 }, { LANES: 128 }],
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, opennmt, searchState, settings, constants),
      groups: ({ B }) => B,
      constants: ({ W, G }) => ({ BEAMS: roomFor(W), LISTS: roomFor(W * G) }),
    },
  ],
  check({ R, B, Q, Y }) {
    const A = mostHypotheses(Y);
    if (!Number.isInteger(A)) return `Y must be ${sentenceWidth(0)} and 3 fields a hypothesis, got ${Y}`;
    const least = planeWidth(R, B, A);
    return Q < least ? `Q must be at least ${least} for R=${R}, B=${B} and A=${A}, got ${Q}` : undefined;
  },
  bytes: ({ R, G, C, M }) => 4 * (R * G * (2 * C + 2) + 2 * R * M),
  flops: ({ R, G, C }) => R * G * C * C,
  reference(d, t) {
    for (let b = 0; b < d.B; b++) stepSentence(d, t, b);
  },
});
