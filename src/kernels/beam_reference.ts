import { type Dims, type Values } from "../runtime/kernel.js";
import { BANNED, LOWEST, NO_ID } from "./constants.js";
import { type Finished, readSentence, type SearchReport, type SentenceReport } from "./search_host.js";
import {
  DONE,
  FINISHED,
  FINISHED_FIELDS,
  FLAG,
  HOMES,
  mostHypotheses,
  PLANE,
  PLANES,
  ROW,
  ROW_FIELDS,
  SENTENCE,
  SENTENCE_HEAD,
  type Settings,
  STATUS,
  TABLES,
  tableAt,
} from "./search_state.js";

/** Values of the setting `early_stopping`. */
export const EARLY_STOPPING = { false: 0, true: 1, never: 2 } as const;

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
 * prompt chose in that step. The lists are of G parts of the vocabulary V, each with room for C candidates.
 */
export function candidates(
  { G, C, V }: Readonly<Record<"G" | "C" | "V", number>>,
  { values, indices, scores }: CandidateLists,
  before: readonly number[],
  { length, start, slots, settings }: Omit<SentenceReport, "beams">,
): Candidate[] {
  const { first, W, diversity_penalty, coverage_penalty, flags } = settings;
  const Q = scores.length / PLANES;
  const found: Candidate[] = [];
  const add = (w: number, id: number, logProb: number): void => {
    const total = scores[PLANE.running * Q + first + w] + logProb;
    const end = ended(settings, slots, w);
    const generated = (end?.length ?? length) - start;
    const covered = end ? coverage_penalty * scores[PLANE.coverage * Q + first + w] : 0;
    const score = flags & FLAG.opennmt ? penalised(settings, total, 1 + generated) + covered : total;
    if (total > BANNED) found.push({ w, id, total, score, logProb });
  };
  for (let w = 0; w < W; w++) {
    const end = ended(settings, slots, w)?.id;
    if (end !== undefined) {
      add(w, end, 0);
      continue;
    }
    const parts = Array.from({ length: G }, (_, g) => (first + w) * G + g);
    const top = Math.max(...parts.map((part) => values[part * (C + 2) + C]));
    const sum = parts.reduce(
      (sum, part) => sum + values[part * (C + 2) + C + 1] * Math.exp(values[part * (C + 2) + C] - top),
      0,
    );
    for (const part of parts) {
      for (let c = 0; c < settings.C && indices[part * C + c] !== NO_ID; c++) {
        const id = indices[part * C + c];
        const value = values[part * (C + 2) + c];
        const raw = flags & FLAG.log_probs ? value : value - top - Math.log(sum);
        add(w, id, raw - diversity_penalty * before.filter((other) => other === id).length);
      }
    }
  }
  return found.sort((x, y) => y.score - x.score || x.w * V + x.id - (y.w * V + y.id));
}

/** The hypothesis of beam w of OpenNMT's search, if it has ended. */
export const ended = (
  { flags }: Pick<Settings, "flags">,
  slots: readonly Finished[],
  w: number,
): Finished | undefined => (flags & FLAG.opennmt && slots[w].length > 0 ? slots[w] : undefined);

/** A sum of log-probabilities divided by the penalty for so many tokens; in OpenNMT's search that of Wu et al. 2016, eq. 14. */
export const penalised = (
  { flags, length_penalty }: Pick<Settings, "flags" | "length_penalty">,
  total: number,
  generated: number,
): number => total / (flags & FLAG.opennmt ? (5 + generated) / 6 : generated) ** length_penalty;

/** The tokens that the beams of the earlier groups of sentence b's prompt chose in this step; A as in `readSentence`. */
export function chosenBefore(report: Omit<SearchReport, "status">, b: number, group: number, A: number): number[] {
  const earlier = Array.from({ length: group }, (_, i) => readSentence(report, b - group + i, A));
  const beams = earlier.filter(({ done }) => !done).flatMap(({ beams }) => beams);
  return beams.filter(({ score }) => score > BANNED).map(({ id }) => id);
}

type State = Readonly<
  Record<"values" | "indices" | "lists" | "rows" | "scores" | "sentences" | "indirection" | "status", Values>
>;

/** A step of sentence b. */
export function stepSentence(d: Dims, t: State, b: number): void {
  const { G, C, Y } = d;
  if (t.sentences[b * Y + SENTENCE.done] !== DONE.open) return;
  const A = mostHypotheses(Y);
  const before = readSentence(t, b, A);
  const { length, limit, settings } = before;
  const parts = Array.from({ length: settings.W * G }, (_, i) => settings.first * G + i);
  if (parts.some((part) => t.values[part * (C + 2) + C + 1] < 0)) return endSentence(d, t, b, settings, DONE.broken);
  const ends = new Set(Array.from({ length: t.lists[settings.lists] }, (_, i) => t.lists[settings.lists + 4 + i]));
  const stops = (id: number): boolean => length + 1 >= limit || ends.has(id);
  const found = candidates({ G, C, V: d.V }, t, chosenBefore(t, b, settings.group, A), before);
  const choose = settings.flags & FLAG.opennmt ? chooseAsOpenNMT : chooseAsTransformers;
  const { running, finished, settled } = choose(before, found, stops);
  writeFinished(d, t, b, finished);
  t.sentences[b * Y + SENTENCE.length] = length + 1;
  if (length + 1 < limit && running.length && !settled) writeBeams(d, t, b, before, running);
  else endSentence(d, t, b, settings, DONE.done);
}

/** What a step makes of a sentence: its next beams, its hypotheses, and whether it needs no more steps. */
interface Choice {
  readonly running: readonly Candidate[];
  readonly finished: readonly Finished[];
  readonly settled: boolean;
}

type Choose = (before: SentenceReport, found: readonly Candidate[], stops: (id: number) => boolean) => Choice;

/** Candidates that end leave the beams; the best hypotheses stay. */
const chooseAsTransformers: Choose = ({ length, start, limit, finished: before, settings }, found, stops) => {
  const { W, A, early_stopping, length_penalty } = settings;
  const hypothesis = ({ w, id, logProb, total }: Candidate): Finished => ({
    length: length + 1,
    parent: w,
    id,
    logProb,
    score: penalised(settings, total, length + 1 - start),
  });
  const running = found.filter(({ id }) => !stops(id));
  const ended = found.slice(0, W).filter(({ id }) => stops(id));
  const finished = [...before, ...ended.map(hypothesis)].sort((x, y) => y.score - x.score).slice(0, A);
  const full = finished.length === A;
  const never = early_stopping === EARLY_STOPPING.never && length_penalty > 0;
  const horizon = (never ? limit : length + 1) - start;
  const hopeless =
    full && running.length > 0 && penalised(settings, running[0].total, horizon) <= finished[A - 1].score;
  return { running, finished, settled: hopeless || (full && early_stopping === EARLY_STOPPING.true) };
};

/** Candidates that end stay among the beams, and so do beams that ended before. */
const chooseAsOpenNMT: Choose = ({ length, slots, settings }, found, stops) => {
  const { W } = settings;
  const running = found.slice(0, W);
  const finished = Array.from({ length: W }, (_, beam) => {
    if (beam >= running.length) return { length: 0, parent: 0, id: 0, logProb: 0, score: 0 };
    const { w, id, logProb, score } = running[beam];
    const end = ended(settings, slots, w);
    if (end) return { ...end, score };
    return { length: stops(id) ? length + 1 : 0, parent: w, id, logProb, score };
  });
  return { running, finished, settled: running.every((_, beam) => finished[beam].length > 0) };
};

function writeFinished({ Q, Y }: Dims, { scores, sentences }: State, b: number, finished: readonly Finished[]): void {
  finished.forEach((hypothesis, i) => {
    const at = b * Y + SENTENCE_HEAD + i * FINISHED_FIELDS;
    for (const [name, field] of Object.entries(FINISHED) as [keyof typeof FINISHED, number][])
      sentences[at + field] = hypothesis[name];
    scores[PLANE.finished * Q + b * mostHypotheses(Y) + i] = hypothesis.score;
    scores[PLANE.last * Q + b * mostHypotheses(Y) + i] = hypothesis.logProb;
  });
}

function endSentence({ Y }: Dims, { rows, sentences, status }: State, b: number, s: Settings, done: number): void {
  sentences[b * Y + SENTENCE.done] = done;
  for (let r = s.first; r < s.first + s.W; r++) rows[r * ROW_FIELDS + ROW.sentence] = NO_ID;
  status[STATUS.ended]++;
}

function writeBeams(
  { Q, M }: Dims,
  { rows, scores, indirection }: State,
  b: number,
  { length, settings: { first, W } }: SentenceReport,
  running: readonly Candidate[],
): void {
  const table = (r: number, of: number): number => (TABLES * r + of) * M;
  for (let beam = 0; beam < W; beam++) {
    const dead = { ...running[0], total: LOWEST };
    const { w, id, total, logProb } = running[beam] ?? dead;
    const r = first + beam;
    const [from, to] = [table(first + w, tableAt(length - 1)), table(r, tableAt(length))];
    for (let t = 0; t < length; t++) indirection[to + t] = indirection[from + t];
    indirection[to + length] = indirection[table(r, HOMES) + length];
    scores[PLANE.running * Q + r] = total;
    scores[PLANE.token * Q + r] = logProb;
    const row = { id, position: length, sentence: b, parent: w };
    for (const [name, field] of Object.entries(ROW) as [keyof typeof ROW, number][])
      rows[r * ROW_FIELDS + field] = row[name];
  }
}
