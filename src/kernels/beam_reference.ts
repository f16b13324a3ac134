import { type Dims, type Values } from "../runtime/kernel.js";
import { BANNED, LOWEST, NO_ID } from "./constants.js";
import {
  FINISHED,
  FINISHED_FIELDS,
  type Finished,
  PLANE,
  readSentence,
  ROW,
  ROW_FIELDS,
  type SearchReport,
  SENTENCE,
  SENTENCE_HEAD,
  type SentenceReport,
  sentenceWidth,
  STATUS,
  tableAt,
} from "./search_state.js";

/** Values of the parameter `early_stopping`. */
export const EARLY_STOPPING = { false: 0, true: 1, never: 2 } as const;

/** Values of the constant `SEARCH`: whose rules a search follows. */
export const SEARCH = { transformers: 0, opennmt: 1 } as const;

/** A token that a beam may go on with. */
export interface Candidate {
  /** The beam. */
  readonly w: number;
  readonly id: number;
  /** The sum of log-probabilities. */
  readonly total: number;
  /** By which candidates rank. */
  readonly score: number;
  readonly logProb: number;
}

/** The candidates of each row as `topk` and `sample` leave them, and the scores of beams before a step. */
export type CandidateLists = Readonly<Record<"values" | "indices" | "scores", ArrayLike<number>>>;

/**
 * All candidates of a sentence as it was before a step, best first; `before` are the tokens that earlier groups of its
 * prompt chose in that step.
 */
export function candidates(
  b: number,
  d: Dims,
  { values, indices, scores }: CandidateLists,
  before: readonly number[],
  sentence: SentenceReport,
): Candidate[] {
  const { W, G, C, V, diversity_penalty, LOG_PROBS = 0 } = d;
  const { length, start, slots } = sentence;
  const found: Candidate[] = [];
  const add = (w: number, id: number, logProb: number): void => {
    const total = scores[PLANE.running * d.Q + b * W + w] + logProb;
    const generated = (ended(d, slots, w)?.length ?? length) - start;
    const covered = ended(d, slots, w) ? d.coverage_penalty * scores[PLANE.coverage * d.Q + b * W + w] : 0;
    const score = d.SEARCH === SEARCH.opennmt ? penalised(d, total, 1 + generated) + covered : total;
    if (total > BANNED) found.push({ w, id, total, score, logProb });
  };
  for (let w = 0; w < W; w++) {
    const end = ended(d, slots, w)?.id;
    if (end !== undefined) {
      add(w, end, 0);
      continue;
    }
    const parts = Array.from({ length: G }, (_, g) => (b * W + w) * G + g);
    const top = Math.max(...parts.map((part) => values[part * (C + 2) + C]));
    const sum = parts.reduce(
      (sum, part) => sum + values[part * (C + 2) + C + 1] * Math.exp(values[part * (C + 2) + C] - top),
      0,
    );
    for (const part of parts) {
      for (let c = 0; c < C && indices[part * C + c] !== NO_ID; c++) {
        const id = indices[part * C + c];
        const raw = LOG_PROBS ? values[part * (C + 2) + c] : values[part * (C + 2) + c] - top - Math.log(sum);
        add(w, id, raw - diversity_penalty * before.filter((other) => other === id).length);
      }
    }
  }
  return found.sort((x, y) => y.score - x.score || x.w * V + x.id - (y.w * V + y.id));
}

/** The hypothesis of beam w of OpenNMT's search, if it has ended. */
export const ended = ({ SEARCH: rules }: Dims, slots: readonly Finished[], w: number): Finished | undefined =>
  rules === SEARCH.opennmt && slots[w].length > 0 ? slots[w] : undefined;

/** A sum of log-probabilities divided by the penalty for so many tokens; in OpenNMT's search that of Wu et al. 2016, eq. 14. */
export const penalised = ({ SEARCH: rules, length_penalty }: Dims, total: number, generated: number): number =>
  total / (rules === SEARCH.opennmt ? (5 + generated) / 6 : generated) ** length_penalty;

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
export function chosenBefore(
  { W, A, group }: Dims,
  { rows, scores, sentences }: Omit<SearchReport, "status">,
  b: number,
): number[] {
  const earlier = Array.from({ length: group }, (_, i) => b - group + i);
  const open = earlier.filter((other) => !sentences[other * sentenceWidth(A) + SENTENCE.done]);
  const beams = open.flatMap((other) => Array.from({ length: W }, (_, w) => other * W + w));
  return beams.filter((r) => scores[r] > BANNED).map((r) => rows[r * ROW_FIELDS + ROW.id]);
}

/** A step of sentence b. */
export function stepSentence(d: Dims, t: State, b: number): void {
  const { W, G, C, X } = d;
  const { values, end_ids, sentences, status } = t;
  const before = readSentence(t, b, W);
  if (before.done) return;
  for (let part = b * W * G; part < (b + 1) * W * G; part++)
    if (values[part * (C + 2) + C + 1] < 0)
      status[STATUS.faults] = Math.max(status[STATUS.faults], Math.floor(part / G) + 1);
  const next = before.length + 1;
  const ends = new Set(Array.from({ length: X }, (_, i) => end_ids[i]));
  const stops = (id: number): boolean => next >= before.limit || ends.has(id);
  const found = candidates(b, d, t, chosenBefore(d, t, b), before);
  const choose = d.SEARCH === SEARCH.opennmt ? chooseAsOpenNMT : chooseAsTransformers;
  const { running, finished, settled } = choose(d, before, found, stops);
  writeFinished(d, t, b, finished);
  const sentence = b * sentenceWidth(d.A);
  sentences[sentence + SENTENCE.length] = next;
  if (next < before.limit && running.length && !settled) return writeBeams(d, t, b, before.length, running);
  sentences[sentence + SENTENCE.done] = 1;
  status[STATUS.open]--;
}

/** What a step makes of a sentence: its next beams, its hypotheses, and whether it needs no more steps. */
interface Choice {
  readonly running: readonly Candidate[];
  readonly finished: readonly Finished[];
  readonly settled: boolean;
}

type Choose = (d: Dims, before: SentenceReport, found: readonly Candidate[], stops: (id: number) => boolean) => Choice;

/** Candidates that end leave the beams; the best hypotheses stay. */
const chooseAsTransformers: Choose = (d, { length, start, limit, finished: before }, found, stops) => {
  const { W, A, early_stopping, length_penalty } = d;
  const hypothesis = ({ w, id, logProb, total }: Candidate): Finished => ({
    length: length + 1,
    parent: w,
    id,
    logProb,
    score: penalised(d, total, length + 1 - start),
  });
  const running = found.filter(({ id }) => !stops(id));
  const ended = found.slice(0, W).filter(({ id }) => stops(id));
  const finished = [...before, ...ended.map(hypothesis)].sort((x, y) => y.score - x.score).slice(0, A);
  const full = finished.length === A;
  const never = early_stopping === EARLY_STOPPING.never && length_penalty > 0;
  const horizon = (never ? limit : length + 1) - start;
  const hopeless = full && running.length > 0 && penalised(d, running[0].total, horizon) <= finished[A - 1].score;
  return { running, finished, settled: hopeless || (full && early_stopping === EARLY_STOPPING.true) };
};

/** Candidates that end stay among the beams, and so do beams that ended before. */
const chooseAsOpenNMT: Choose = (d, { length, slots }, found, stops) => {
  const running = found.slice(0, d.W);
  const finished = Array.from({ length: d.W }, (_, beam) => {
    if (beam >= running.length) return { length: 0, parent: 0, id: 0, logProb: 0, score: 0 };
    const { w, id, logProb, score } = running[beam];
    const end = ended(d, slots, w);
    if (end) return { ...end, score };
    return { length: stops(id) ? length + 1 : 0, parent: w, id, logProb, score };
  });
  return { running, finished, settled: running.every((_, beam) => finished[beam].length > 0) };
};

function writeFinished({ A, Q }: Dims, { scores, sentences }: State, b: number, finished: readonly Finished[]): void {
  finished.forEach((hypothesis, i) => {
    const at = b * sentenceWidth(A) + SENTENCE_HEAD + i * FINISHED_FIELDS;
    for (const [name, field] of Object.entries(FINISHED) as [keyof typeof FINISHED, number][])
      sentences[at + field] = hypothesis[name];
    scores[PLANE.finished * Q + b * A + i] = hypothesis.score;
    scores[PLANE.last * Q + b * A + i] = hypothesis.logProb;
  });
}

function writeBeams({ W, Q, R, M }: Dims, t: State, b: number, length: number, running: readonly Candidate[]): void {
  const { rows, scores, indirection } = t;
  const [old, fresh] = [tableAt(length - 1) * R, tableAt(length) * R];
  for (let beam = 0; beam < W; beam++) {
    const dead = { ...running[0], total: LOWEST };
    const { w, id, total, logProb } = running[beam] ?? dead;
    const [r, parent] = [b * W + beam, b * W + w];
    for (let at = 0; at < length - 1; at++) indirection[(fresh + r) * M + at] = indirection[(old + parent) * M + at];
    indirection[(fresh + r) * M + length - 1] = parent;
    scores[PLANE.running * Q + r] = total;
    scores[PLANE.token * Q + r] = logProb;
    const row = { id, position: length, sentence: b, parent: w };
    for (const [name, field] of Object.entries(ROW) as [keyof typeof ROW, number][])
      rows[r * ROW_FIELDS + field] = row[name];
  }
}
