import direct from "../../shaders/beam_step.wgsl";
import shared from "../../shaders/beam_step.shared.wgsl";
import common from "../../shaders/parts/beam_step.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import { type Dims, defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { BANNED, LOWEST, NO_ID } from "./constants.js";
import {
  FINISHED,
  FINISHED_FIELDS,
  type Finished,
  PLANE,
  readSentence,
  ROW,
  ROW_FIELDS,
  SENTENCE,
  SENTENCE_HEAD,
  sentenceWidth,
  STATUS,
  tableAt,
} from "./search_state.js";

/** Values of the parameter `early_stopping`. */
export const EARLY_STOPPING = { false: 0, true: 1, never: 2 } as const;

interface Candidate {
  w: number;
  id: number;
  score: number;
  logProb: number;
}

/** All candidates of a sentence, best first. */
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
        const score = running[b * W + w] + logProb;
        if (score > BANNED) found.push({ w, id: indices[part * C + c], score, logProb });
      }
    }
  }
  return found.sort((x, y) => y.score - x.score || x.w * V + x.id - (y.w * V + y.id));
}

/**
 * How many candidates of each row a step needs for W beams with so many end ids, of the `beams` that all groups of a
 * prompt have: those that go on, those that end, and those that the tokens of other groups may displace.
 */
export const candidateCount = (W: number, ends: number, beams = W): number => (beams === 1 ? 1 : beams + ends);

/**
 * One step of beam search for each sentence, as `_beam_search` of Transformers 5. Of the candidates of all its beams,
 * the best W that do not end go on; those that end and are among the best W join its finished hypotheses; it is done
 * when no beam can do better, or none goes on. Where fewer than W go on, the others are dead: they copy the first, and
 * their score LOWEST lets them neither go on nor finish. values f32[R,G,C+2] and indices u32[R,G,C] come from `topk`; end_ids u32[X]. The state is
 * updated in place (`search_state.ts`): rows u32[R,4], scores f32[4,R], sentences u32[B,4+3*W], indirection u32[2,R,M],
 * status u32[2]. Numerics and source: shaders/beam_step*.wgsl.
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
      wgsl: joinShader(shared, common, searchState, constants),
      for: "gpu",
      fits: ({ W, G }) => W <= 32 && W * G <= 512,
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: () => ({ LANES: 64 }),
      tunings: () => [{ LANES: 32 }, { LANES: 64 }, { LANES: 128 }],
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, searchState, constants),
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: ({ W, G }) => ({ BEAMS: W, LISTS: W * G }),
    },
  ],
  check({ R, B, W, C, X, groups }) {
    if (R !== B * W) return `R must be B*W, got R=${R}, B=${B} and W=${W}`;
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

interface State {
  readonly values: Values;
  readonly indices: Values;
  readonly end_ids: Values;
  readonly rows: Values;
  readonly scores: Values;
  readonly sentences: Values;
  readonly indirection: Values;
  readonly status: Values;
}

/** The tokens that the beams of the prompt's earlier groups chose in this step. */
function chosenBefore({ W, group }: Dims, { rows, scores, sentences }: State, b: number): number[] {
  const earlier = Array.from({ length: group }, (_, i) => b - group + i);
  const open = earlier.filter((other) => !sentences[other * sentenceWidth(W) + SENTENCE.done]);
  const beams = open.flatMap((other) => Array.from({ length: W }, (_, w) => other * W + w));
  return beams.filter((r) => scores[r] > BANNED).map((r) => rows[r * ROW_FIELDS + ROW.id]);
}

function stepSentence(d: Dims, t: State, b: number): void {
  const { W, G, C, X, early_stopping, length_penalty } = d;
  const { values, indices, end_ids, scores, sentences, status } = t;
  const { length, start, limit, done, finished: before } = readSentence(t, b, W);
  if (done) return;
  for (let part = b * W * G; part < (b + 1) * W * G; part++)
    if (values[part * (C + 2) + C + 1] < 0)
      status[STATUS.faults] = Math.max(status[STATUS.faults], Math.floor(part / G) + 1);
  const next = length + 1;
  const penalised = (score: number, generated: number): number => score / generated ** length_penalty;
  const ends = new Set(Array.from({ length: X }, (_, i) => end_ids[i]));
  const running: Candidate[] = [];
  const finished = [...before];
  candidates(b, d, values, indices, scores, chosenBefore(d, t, b)).forEach((candidate, rank) => {
    const { w: parent, id, logProb } = candidate;
    if (next < limit && !ends.has(id)) running.push(candidate);
    else if (rank < W)
      finished.push({ length: next, parent, id, logProb, score: penalised(candidate.score, next - start) });
  });
  finished.sort((x, y) => y.score - x.score).splice(W);
  writeFinished(d, t, b, finished);
  const full = finished.length === W;
  const horizon = early_stopping === EARLY_STOPPING.never && length_penalty > 0 ? limit - start : next - start;
  const hopeless = !running.length || (full && penalised(running[0].score, horizon) <= finished[W - 1].score);
  const sentence = b * sentenceWidth(W);
  sentences[sentence + SENTENCE.length] = next;
  if (next < limit && !hopeless && !(full && early_stopping === EARLY_STOPPING.true))
    return writeBeams(d, t, b, length, running);
  sentences[sentence + SENTENCE.done] = 1;
  status[STATUS.open]--;
}

function writeFinished({ W, R }: Dims, { scores, sentences }: State, b: number, finished: readonly Finished[]): void {
  finished.forEach((hypothesis, i) => {
    const at = b * sentenceWidth(W) + SENTENCE_HEAD + i * FINISHED_FIELDS;
    for (const [name, field] of Object.entries(FINISHED) as [keyof typeof FINISHED, number][])
      sentences[at + field] = hypothesis[name];
    scores[PLANE.finished * R + b * W + i] = hypothesis.score;
    scores[PLANE.last * R + b * W + i] = hypothesis.logProb;
  });
}

function writeBeams({ W, R, M }: Dims, t: State, b: number, length: number, running: readonly Candidate[]): void {
  const { rows, scores, indirection } = t;
  const [old, fresh] = [tableAt(length - 1) * R, tableAt(length) * R];
  for (let beam = 0; beam < W; beam++) {
    const dead = { ...running[0], score: LOWEST };
    const { w, id, score, logProb } = running[beam] ?? dead;
    const [r, parent] = [b * W + beam, b * W + w];
    for (let at = 0; at < length - 1; at++) indirection[(fresh + r) * M + at] = indirection[(old + parent) * M + at];
    indirection[(fresh + r) * M + length - 1] = parent;
    scores[PLANE.running * R + r] = score;
    scores[PLANE.token * R + r] = logProb;
    const row = { id, position: length, sentence: b, parent: w };
    for (const [name, field] of Object.entries(ROW) as [keyof typeof ROW, number][])
      rows[r * ROW_FIELDS + field] = row[name];
  }
}
