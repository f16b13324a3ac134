import direct from "../../shaders/beam_step.wgsl";
import shared from "../../shaders/beam_step.shared.wgsl";
import common from "../../shaders/parts/beam_step.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import opennmt from "../../shaders/parts/opennmt.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { stepSentence } from "./beam_reference.js";
import { planeWidth } from "./search_state.js";

/**
 * How many candidates of each row a step needs for W beams with so many end ids, of the `beams` that all groups of a
 * prompt have: those that go on, those that end, and those that the tokens of other groups may displace.
 */
export const candidateCount = (W: number, ends: number, beams = W): number => (beams === 1 ? 1 : beams + ends);

/**
 * One step of beam search for each sentence. As `_beam_search` of Transformers 5: of the candidates of all its beams, the
 * best W that do not end go on; those that end and are among the best W join its finished hypotheses, of which the best A stay; it is done when no
 * beam can do better, or none goes on. With SEARCH 1 as in OpenNMT-tf's `BeamSearch`: the best W go on, whether they end or
 * not, until all have ended. Where fewer than W go on, the others are dead: they copy the first, and their score LOWEST
 * lets them neither go on nor finish. values f32[R,G,C+2] and indices u32[R,G,C] come from `topk`; end_ids u32[X]. The
 * state is updated in place (`search_state.ts`): rows u32[R,4], scores f32[5,Q], sentences u32[B,4+3*A], indirection
 * u32[2,R,M], status u32[2]. Numerics and source: shaders/beam_step*.wgsl.
 */
export const beamStep = defineKernel({
  name: "beam_step",
  reads: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]", end_ids: "u32[X]" },
  writes: {
    rows: "u32[R,4]",
    scores: "f32[5,Q]",
    sentences: "u32[B,4+3*A]",
    indirection: "u32[2,R,M]",
    status: "u32[2]",
  },
  params: [
    "W",
    "A",
    "V",
    "early_stopping",
    "length_penalty",
    "coverage_penalty",
    "groups",
    "group",
    "diversity_penalty",
  ],
  constants: ["LOG_PROBS", "SEARCH"],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, opennmt, searchState, constants),
      for: "gpu",
      fits: ({ W, G }) => W <= 32 && W * G <= 512,
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: () => ({ LANES: 64 }),
      tunings: () => [{ LANES: 32 }, { LANES: 64 }, { LANES: 128 }],
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, opennmt, searchState, constants),
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: ({ W, G }) => ({ BEAMS: W, LISTS: W * G }),
    },
  ],
  check({ R, B, W, A, Q, C, X, groups }) {
    if (R !== B * W) return `R must be B*W, got R=${R}, B=${B} and W=${W}`;
    if (Q !== planeWidth(B, W, A))
      return `Q must be B times the larger of W and A, got Q=${Q}, B=${B}, W=${W} and A=${A}`;
    const least = candidateCount(W, X, W * groups);
    return C < least
      ? `C must be at least ${least} for W=${W}, groups=${groups} and ${X} end ids, got ${C}`
      : undefined;
  },
  bytes: ({ R, G, C, M }) => 4 * (R * G * (2 * C + 2) + 2 * R * M),
  flops: ({ R, G, C }) => R * G * C * C,
  reference(d, t) {
    for (let b = d.group; b < d.B; b += d.groups) stepSentence(d, t, b);
  },
});
