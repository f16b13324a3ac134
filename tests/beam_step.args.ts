import { EARLY_STOPPING } from "../src/kernels/beam_reference.js";
import { ABSENT, LOWEST, NO_ID } from "../src/kernels/constants.js";
import { packRules } from "../src/kernels/logits_process.js";
import { idleSentence, packSentence } from "../src/kernels/search_host.js";
import {
  DONE,
  FINISHED,
  FINISHED_FIELDS,
  FLAG,
  PLAIN,
  PLANE,
  PLANES,
  planeWidth,
  ROW_FIELDS,
  SENTENCE,
  SENTENCE_HEAD,
  type Settings,
  sentenceWidth,
  STATUS,
  STATUS_FIELDS,
  TABLES,
} from "../src/kernels/search_state.js";
import { f32, type Filled, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

const isDone = (b: number, closed = 0): boolean => closed > 0 && b % closed === closed - 1;

/** Whether hypothesis w is there: the first of them, or `odd` ones, as beams of OpenNMT's search end in any order. */
const isFinished = ({ finished = 0, odd = 0 }: Size, w: number): boolean => (odd ? w % 2 === 1 : w < finished);

const IDLE: Size = { W: 0, A: 0 };

/**
 * What sentences of many kinds ask for: greedy and sampled ones, beams, groups, OpenNMT's search, done and idle ones; `gap` idle rows
 * come before a sentence.
 */
const MIXED: readonly Size[] = [
  { W: 1, stop: EARLY_STOPPING.true, C: 1, length: 3 },
  { W: 8, C: 9, length: 4, finished: 3, worst: 0.5, penalty: 0.6 },
  IDLE,
  { W: 1, stop: EARLY_STOPPING.true, C: 1, drawn: 1, length: 5, gap: 2 },
  { W: 2, C: 6, length: 2, groups: 2, group: 0, diversity: 0.6 },
  { W: 2, C: 6, length: 2, groups: 2, group: 1, diversity: 0.6 },
  { W: 4, C: 6, opennmt: 1, length: 5, odd: 1, coverage: 0.7, penalty: 0.8 },
  { W: 4, C: 5, length: 6, finished: 2, done: 1, groups: 2 }, // of a prompt whose second place is another's now
  { W: 2, C: 3, A: 5, length: 3, finished: 4, worst: 0.2, stop: EARLY_STOPPING.never, limit: 6, gap: 1 },
  { W: 4, C: 5, length: 5, limit: 6, start: 2 },
  { W: 3, C: 9, length: 3, broken: 1 },
  { W: 2, C: 4, length: 4, finished: 2, stop: EARLY_STOPPING.true },
  { W: 1, C: 2, length: 1, start: 1, stop: EARLY_STOPPING.true },
  { W: 1, C: 1, length: 3, drawn: 1, token: 7 }, // which ends; nothing else was drawn
];

/** A sentence, with its first row. */
type Sentence = Size & { readonly first: number };

/** The sizes of each sentence, and the number of rows; a `spread` makes sentences of other lengths. */
function sentencesOf(size: Size): { readonly sentences: readonly Sentence[]; readonly R: number } {
  const { B, spread = 1, groups = 1, mixed = 0, only = -1 } = size;
  let R = 0;
  const sentences = Array.from({ length: B }, (_, b): Sentence => {
    const kind: Size = mixed ? MIXED[(b + mixed - 1) % MIXED.length] : { group: b % groups };
    const { W, length, gap = 0, done = Number(isDone(b, size.closed)) } = { ...size, ...kind };
    const A = (mixed ? kind : size).A ?? W;
    const first = (R += mixed ? gap : 0);
    R += W;
    const hidden = only >= 0 && only !== b ? { done: 1 } : { done };
    return { ...size, ...kind, A, length: mixed ? length : length + (b % spread), ...hidden, first };
  });
  return { sentences, R };
}

/** Sentences of all kinds: the sizes of a search. */
export const mixed = { B: 2 * MIXED.length, mixed: 1, W: 8, A: 8, G: 3, C: 9, V: 40, M: 9, length: 0 };

/** What `topk` leaves of logits for a row, of which only the first `allowed` ids are not banned. `steps` a unit: log-probabilities of few values, exact in f32, that tie. */
function listsOfLogits(size: Size, parts: readonly number[], random: () => number) {
  const { G, C, V, steps = 0, sorted = 0, faulty = 0, allowed = V, broken = 0 } = size;
  const uniform = (): number => (random() + 1) / 2;
  const length = Math.ceil(V / G);
  return parts.map((part) => {
    const begin = (part % G) * length;
    const ids = Array.from({ length: Math.max(0, Math.min(length, V - begin)) }, (_, i) => begin + i);
    const fall = sorted ? 8 : 0;
    const logit = (id: number): number => (steps ? -Math.ceil(8 * uniform()) / steps : 4 * random() - fall * id);
    const logits = new Map(ids.map((id) => [id, logit(id)]));
    const best = ids.sort((a, b) => logits.get(b)! - logits.get(a)! || a - b).slice(0, C);
    const free = best.filter((id) => id < allowed);
    const bad = part < faulty || (broken && part % (2 * G) === G);
    return {
      values: [
        ...Array.from({ length: C }, (_, c) => (c < free.length ? logits.get(free[c])! : ABSENT)),
        ...[best.length ? logits.get(best[0])! : ABSENT, bad ? -1 : best.length && 1 + 3 * uniform()],
      ],
      indices: Array.from({ length: C }, (_, c) => free[c] ?? NO_ID),
    };
  });
}

/** The same without logits, for vocabularies that take long to sort: each part's first ids, which fall evenly. */
function listsAlone({ G, C, V }: Size, parts: readonly number[], random: () => number) {
  const each = Array.from({ length: C }, (_, c) => c);
  return parts.map((part) => {
    const [begin, top, gap] = [(part % G) * Math.ceil(V / G), 4 * random(), 0.3 + 0.2 * random()];
    return { values: [...each.map((c) => top - c * gap), top, 5], indices: each.map((c) => begin + c) };
  });
}

/** What `sample` leaves: a token in the first part. */
const listsOfDraw = ({ G, C, V, token }: Size, parts: readonly number[], random: () => number) =>
  parts.map((part) => ({
    values: [
      part % G ? ABSENT : random() - 1,
      ...Array<number>(C - 1).fill(7),
      part % G ? ABSENT : 0,
      part % G ? 0 : 3,
    ],
    indices: [part % G ? NO_ID : (token ?? Math.floor(((random() + 1) / 2) * V)), ...Array<number>(C - 1).fill(3)],
  }));

/** The lists of all rows; those of rows between sentences and of idle ones are no numbers. */
function listsOf(size: Size, sentences: readonly Sentence[], R: number, random: () => number) {
  const { G, C } = size;
  const values = Array<number>(R * G * (C + 2)).fill(NaN);
  const indices = Array<number>(R * G * C).fill(77);
  for (const sentence of sentences) {
    const parts = Array.from({ length: sentence.W * G }, (_, i) => sentence.first * G + i);
    const of = sentence.alone ? listsAlone : sentence.drawn ? listsOfDraw : listsOfLogits;
    of({ ...sentence, C }, parts, random).forEach((part, i) => {
      part.values.forEach((value, c) => (values[parts[i] * (C + 2) + c] = value));
      part.indices.forEach((id, c) => (indices[parts[i] * C + c] = id));
    });
  }
  return { values, indices };
}

/** The log-probabilities of beams; at the `first step` those of one alone; beams from `dead` on are. */
function runningOf(size: Sentence, random: () => number): number[] {
  const { W, steps = 0, begun = 0, base = 0, dead = W } = size;
  const score = (w: number): number => -w - (steps ? Math.ceil(random() * 4) / 4 : (random() + 1) / 2);
  const live = (w: number): number => (begun ? (w ? -1e9 : -base) : score(w) / (steps ? 1 : 4));
  return Array.from({ length: W }, (_, w) => (w < dead ? live(w) : LOWEST));
}

/** The scores of beams and of `finished` hypotheses a sentence; log-probabilities of tokens, each another. */
function scoresOf(sentences: readonly Sentence[], R: number, A: number, spare: number, random: () => number): Filled {
  const Q = planeWidth(R, sentences.length, A) + spare;
  const scores = f32([PLANES, Q], (i) => {
    const logProb = -(i % 31) / 8;
    const plane = Math.floor(i / Q);
    return plane === PLANE.token ? logProb : plane === PLANE.coverage ? -(i % 5) / 4 : 0;
  });
  sentences.forEach((sentence, b) => {
    scores.data.set(runningOf(sentence, random), PLANE.running * Q + sentence.first);
    for (let w = 0; w < sentence.A; w++) {
      if (!isFinished(sentence, w)) continue;
      scores.data[PLANE.finished * Q + b * A + w] = -(sentence.worst ?? 9) - w / 256;
      scores.data[PLANE.last * Q + b * A + w] = -((b * A + w) % 31) / 8 - 4;
    }
  });
  return scores;
}

/** The settings of a sentence. */
const settingsOf = (size: Sentence, lists: number): Settings => ({
  ...PLAIN,
  first: size.first,
  W: size.W,
  A: size.A,
  C: size.C,
  lists,
  flags: (size.steps ? FLAG.log_probs : 0) | (size.opennmt ? FLAG.opennmt : 0),
  early_stopping: size.stop ?? EARLY_STOPPING.false,
  length_penalty: size.penalty ?? 1,
  coverage_penalty: size.coverage ?? 0,
  diversity_penalty: size.diversity ?? 0,
  groups: size.groups ?? 1,
  group: size.group ?? 0,
});

/** A row of `sentences`, with its finished hypotheses. */
function packed(size: Sentence, A: number, lists: number): Uint32Array {
  const { W, V, length, start = 1, limit = 99, opennmt } = size;
  if (W === 0) return idleSentence(A);
  const row = packSentence({ length, start, limit, settings: settingsOf(size, lists), beams: [] }, A);
  row[SENTENCE.done] = size.done ? DONE.done : DONE.open;
  for (let w = 0; w < size.A; w++) {
    if (!isFinished(size, w)) continue;
    const at = SENTENCE_HEAD + w * FINISHED_FIELDS;
    row[at + FINISHED.length] = opennmt ? Math.max(start + 1, length - w) : length;
    row[at + FINISHED.parent] = (w + 1) % W;
    row[at + FINISHED.id] = (5 * w + 1) % V;
  }
  return row;
}

/**
 * Arguments of `beam_step`, for tests and benches. Sentence b is `length + b % spread` long; `finished` hypotheses of it are there; of every
 * `closed` sentences, the last is done. With `alone` the lists are not of logits, and their first id ends. With `mixed`
 * sentences have sizes and settings of their own, of which the `only` one is open; lists of end ids take turns. `spare` rows of the search are not among
 * those of the step.
 */
export const args = (size: Size, random: () => number) => {
  const { W, A = W, G, C, M, X = 1, V, alone = 0 } = size;
  const { sentences, R } = sentencesOf(size);
  const { values, indices } = listsOf(size, sentences, R, random);
  const ends = (shift: number): number[] => Array.from({ length: X }, (_, i) => (alone ? i : (5 * i + 1 + shift) % V));
  const rules = (end: number[]): number[] => [...packRules({ end, suppress: [], begin_suppress: [], banned: [] })];
  const lists = [9, 9, ...rules(ends(0)), ...(size.mixed ? rules([...ends(3), 7, 8]) : [])];
  const width = sentenceWidth(A);
  const state = u32([sentences.length, width], () => 0);
  const rows = u32([R, ROW_FIELDS], (i) => (i % ROW_FIELDS === 2 ? NO_ID : i % V));
  sentences.forEach((sentence, b) => {
    state.data.set(packed(sentence, A, size.mixed && b % 2 ? 2 + rules(ends(0)).length : 2), b * width);
    for (let r = sentence.first; r < sentence.first + sentence.W && !sentence.done; r++) rows.data[4 * r + 2] = b;
  });
  const ended = 5 + sentences.filter(({ done, W }) => done || W === 0).length;
  return {
    values: f32([R, G, C + 2], (i) => values[i]),
    indices: u32([R, G, C], (i) => indices[i]),
    lists: u32([lists.length], (i) => lists[i]),
    rows,
    scores: scoresOf(sentences, R, A, size.spare ?? 0, random),
    sentences: state,
    indirection: u32([R, TABLES, M], (i) => 1000 * i + Math.floor(((random() + 1) / 2) * 1000)), // each slot another
    status: u32([STATUS_FIELDS], (i) => (i === STATUS.ended ? ended : 5 + sentences.length)),
  };
};

/** Scalars of `beam_step`. */
export const values = ({ W, V }: Size) => ({ W, V });
