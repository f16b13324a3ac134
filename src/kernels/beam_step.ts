import direct from "../../shaders/beam_step.wgsl";
import shared from "../../shaders/beam_step.shared.wgsl";
import interfaceOf from "../../shaders/parts/beam_step.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import { type Dims, defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { NO_ID } from "./constants.js";

/** Values of the parameter `early_stopping`. */
export const EARLY_STOPPING = { false: 0, true: 1, never: 2 } as const;

interface Candidate {
  w: number;
  id: number;
  score: number;
  logProb: number;
}

/** All candidates of a sentence that `topk` left, best first. */
function candidates(
  b: number,
  { W, G, C, V, diversity_penalty, LOG_PROBS = 0 }: Dims,
  values: Values,
  indices: Values,
  running: Values,
  before: readonly number[],
): Candidate[] {
  const found: Candidate[] = [];
  for (let w = 0; w < W; w++) {
    const parts = Array.from({ length: G }, (_, g) => (b * W + w) * G + g);
    const top = Math.max(...parts.map((part) => values[part * (C + 2) + C]));
    const total = parts.reduce(
      (sum, part) => sum + values[part * (C + 2) + C + 1] * Math.exp(values[part * (C + 2) + C] - top),
      0,
    );
    for (const part of parts) {
      for (let c = 0; c < C && indices[part * C + c] !== NO_ID; c++) {
        const raw = LOG_PROBS ? values[part * (C + 2) + c] : values[part * (C + 2) + c] - top - Math.log(total);
        const logProb = raw - diversity_penalty * before.filter((id) => id === indices[part * C + c]).length;
        found.push({ w, id: indices[part * C + c], score: running[b * W + w] + logProb, logProb });
      }
    }
  }
  return found.sort((x, y) => y.score - x.score || x.w * V + x.id - (y.w * V + y.id)).slice(0, C);
}

/**
 * One step of beam search for every sentence, as `_beam_search` of Transformers 5: of the candidates of all its beams the best W that do not
 * end go on, those that end and rank below W join its finished hypotheses, and it is done when none can do better. values f32[R,G,C+2] and
 * indices u32[R,G,C] from `topk`; end_ids u32[X]; the state rows u32[R,4], scores f32[4,R], sentences u32[B,4+3*W], indirection u32[2,R,M] and
 * status u32[2] is updated in place (`search_state.ts`). Numerics and source: shaders/beam_step*.wgsl.
 */
export const beamStep = defineKernel({
  name: "beam_step",
  reads: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]", end_ids: "u32[X]" },
  writes: {
    rows: "u32[R,4]",
    scores: "f32[4,R]",
    sentences: "u32[B,4+3*W]",
    indirection: "u32[2,R,M]",
    status: "u32[2]",
  },
  params: ["W", "V", "early_stopping", "length_penalty", "groups", "group", "diversity_penalty"],
  constants: ["LOG_PROBS"],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, interfaceOf, searchState, constants),
      for: "gpu",
      fits: ({ W, G }) => W <= 32 && W * G <= 512,
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: () => ({ LANES: 64 }),
      tunings: () => [{ LANES: 32 }, { LANES: 64 }, { LANES: 128 }],
    },
    {
      name: "direct",
      wgsl: joinShader(direct, interfaceOf, searchState, constants),
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: ({ W, G }) => ({ BEAMS: W, LISTS: W * G }),
    },
  ],
  check({ R, B, W, C, X, V }) {
    if (R !== B * W) return `R must be B*W, got R=${R}, B=${B} and W=${W}`;
    if (W > 1 && C < Math.max(2, 1 + X) * W)
      return `C must be at least ${Math.max(2, 1 + X) * W} for W=${W} and ${X} end ids, got ${C}`;
    return W * V < C ? `V must be at least ${Math.ceil(C / W)} for ${C} candidates, got ${V}` : undefined;
  },
  bytes: ({ R, G, C, M }) => 4 * (R * G * (2 * C + 2) + 2 * R * M),
  flops: ({ R, G, C }) => R * G * C * C,
  reference(d, { values, indices, end_ids, rows, scores, sentences, indirection, status }) {
    const { B, W, R, M, X, early_stopping, length_penalty, groups, group } = d;
    const ends = new Set(Array.from({ length: X }, (_, i) => end_ids[i]));
    for (let b = group; b < B; b += groups) {
      const at = b * (4 + 3 * W);
      const [length, start, limit, done] = [0, 1, 2, 3].map((i) => sentences[at + i]);
      if (done) continue;
      for (let part = b * W * d.G; part < (b + 1) * W * d.G; part++)
        if (values[part * (d.C + 2) + d.C + 1] < 0) status[1]++;
      const next = length + 1;
      const penalised = (score: number, generated: number): number => score / generated ** length_penalty;
      const finished = Array.from({ length: W }, (_, i) => ({
        score: scores[R + b * W + i],
        logProb: scores[3 * R + b * W + i],
        length: sentences[at + 4 + 3 * i],
        w: sentences[at + 5 + 3 * i],
        id: sentences[at + 6 + 3 * i],
      })).filter((hypothesis) => hypothesis.length > 0);
      const running: Candidate[] = [];
      const earlier = Array.from({ length: group }, (_, i) => b - group + i).filter(
        (other) => sentences[other * (4 + 3 * W) + 3] === 0,
      );
      const before = earlier.flatMap((other) => Array.from({ length: W }, (_, w) => rows[4 * (other * W + w)]));
      candidates(b, d, values, indices, scores, before).forEach((candidate, rank) => {
        if (next < limit && !ends.has(candidate.id)) running.push(candidate);
        else if (rank < W)
          finished.push({ ...candidate, length: next, score: penalised(candidate.score, next - start) });
      });
      finished.sort((x, y) => y.score - x.score).splice(W);
      finished.forEach((hypothesis, i) => {
        scores[R + b * W + i] = hypothesis.score;
        scores[3 * R + b * W + i] = hypothesis.logProb;
        [hypothesis.length, hypothesis.w, hypothesis.id].forEach(
          (value, field) => (sentences[at + 4 + 3 * i + field] = value),
        );
      });
      const full = finished.length === W;
      const horizon = early_stopping === EARLY_STOPPING.never && length_penalty > 0 ? limit - start : next - start;
      const hopeless = full && (!running.length || penalised(running[0].score, horizon) <= finished[W - 1].score);
      sentences[at] = next;
      if (next >= limit || hopeless || (full && early_stopping === EARLY_STOPPING.true)) {
        sentences[at + 3] = 1;
        status[0]--;
        continue;
      }
      const [old, fresh] = [((length - 1) % 2) * R, (length % 2) * R];
      running.slice(0, W).forEach(({ w, id, score, logProb }, beam) => {
        const [r, parent] = [b * W + beam, b * W + w];
        for (let t = 0; t < length; t++)
          indirection[(fresh + r) * M + t] = t === length - 1 ? parent : indirection[(old + parent) * M + t];
        scores[r] = score;
        scores[2 * R + r] = logProb;
        [id, length, b, w].forEach((value, i) => (rows[4 * r + i] = value));
      });
    }
  },
});
