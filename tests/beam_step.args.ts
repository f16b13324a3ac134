import { EARLY_STOPPING, SEARCH } from "../src/kernels/beam_reference.js";
import { ABSENT, LOWEST, NO_ID } from "../src/kernels/constants.js";
import {
  FINISHED,
  FINISHED_FIELDS,
  PLANE,
  PLANES,
  planeWidth,
  ROW_FIELDS,
  SENTENCE,
  SENTENCE_HEAD,
  sentenceWidth,
  STATUS,
  STATUS_FIELDS,
} from "../src/kernels/search_state.js";
import { f32, type Filled, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** What `topk` leaves of logits for R rows, of which only the first `allowed` ids are not banned. `steps` a unit: log-probabilities of few values, exact in f32, that tie. */
function listsOfLogits({ B, W, G, C, V, steps = 0, sorted = 0, faulty = 0, allowed = V }: Size, random: () => number) {
  const uniform = (): number => (random() + 1) / 2;
  const [values, indices]: [number[], number[]] = [[], []];
  const length = Math.ceil(V / G);
  for (let part = 0; part < B * W * G; part++) {
    const begin = (part % G) * length;
    const ids = Array.from({ length: Math.max(0, Math.min(length, V - begin)) }, (_, i) => begin + i);
    const fall = sorted ? 8 : 0;
    const logit = (id: number): number => (steps ? -Math.ceil(8 * uniform()) / steps : 4 * random() - fall * id);
    const logits = new Map(ids.map((id) => [id, logit(id)]));
    const best = ids.sort((a, b) => logits.get(b)! - logits.get(a)! || a - b).slice(0, C);
    const free = best.filter((id) => id < allowed);
    values.push(...Array.from({ length: C }, (_, c) => (c < free.length ? logits.get(free[c])! : ABSENT)));
    values.push(best.length ? logits.get(best[0])! : ABSENT, part < faulty ? -1 : best.length && 1 + 3 * uniform());
    indices.push(...Array.from({ length: C }, (_, c) => free[c] ?? NO_ID));
  }
  return { values, indices };
}

/** The same without logits, for vocabularies that take long to sort: each part's first ids, which fall evenly. */
function listsAlone({ B, W, G, C, V }: Size, random: () => number) {
  const parts = Array.from({ length: B * W * G }, (_, part) => ({
    begin: (part % G) * Math.ceil(V / G),
    top: 4 * random(),
    gap: 0.3 + 0.2 * random(),
  }));
  const each = Array.from({ length: C }, (_, c) => c);
  return {
    values: parts.flatMap(({ top, gap }) => [...each.map((c) => top - c * gap), top, 5]),
    indices: parts.flatMap(({ begin }) => each.map((c) => begin + c)),
  };
}

/** The log-probabilities of beams; at the `first` step those of one alone; beams from `dead` on are. */
function runningOf({ B, W, steps = 0, first = 0, base = 0, dead = W }: Size, random: () => number): number[] {
  const score = (w: number): number => -w - (steps ? Math.ceil(random() * 4) / 4 : (random() + 1) / 2);
  const live = (w: number): number => (first ? (w ? -1e9 : -base) : score(w) / (steps ? 1 : 4));
  return Array.from({ length: B * W }, (_, r) => (r % W < dead ? live(r % W) : LOWEST));
}

/** The scores of beams and of `finished` hypotheses a sentence; log-probabilities of tokens, each another. */
function scoresOf(size: Size, running: readonly number[]): Filled {
  const { B, W, A = W, worst = 9 } = size;
  const Q = planeWidth(B, W, A);
  return f32([PLANES, Q], (i) => {
    const w = i % A;
    const logProb = -(i % 31) / 8;
    const plane: Readonly<Record<number, number>> = {
      [PLANE.running]: running[i] ?? 0,
      [PLANE.finished]: isFinished(size, w) ? -worst - w / 256 : 0,
      [PLANE.token]: logProb,
      [PLANE.coverage]: -(w % 5) / 4,
      [PLANE.last]: isFinished(size, w) ? logProb - 4 : 0,
    };
    return plane[Math.floor(i / Q)];
  });
}

const isDone = (b: number, closed = 0): boolean => closed > 0 && b % closed === closed - 1;

/** Whether hypothesis w is there: the first of them, or `odd` ones, as beams of OpenNMT's search end in any order. */
const isFinished = ({ finished = 0, odd = 0 }: Size, w: number): boolean => (odd ? w % 2 === 1 : w < finished);

function sentencesOf(size: Size): Filled {
  const { B, W, A = W, V, length, spread = 1, start = 1, limit = 99, closed, search } = size;
  const width = sentenceWidth(A);
  return u32([B, width], (i) => {
    const [b, at] = [Math.floor(i / width), i % width];
    const head: Readonly<Record<number, number>> = {
      [SENTENCE.length]: length + (b % spread),
      [SENTENCE.start]: start,
      [SENTENCE.limit]: limit,
      [SENTENCE.done]: Number(isDone(b, closed)),
    };
    if (at < SENTENCE_HEAD) return head[at];
    const field = at - SENTENCE_HEAD;
    const w = Math.floor(field / FINISHED_FIELDS);
    const hypothesis: Readonly<Record<number, number>> = {
      [FINISHED.length]: search ? Math.max(start + 1, length - w) : length,
      [FINISHED.parent]: i % W,
      [FINISHED.id]: search ? (5 * w + 1) % V : i % V,
    };
    return isFinished(size, w) ? hypothesis[field % FINISHED_FIELDS] : 0;
  });
}

/**
 * Arguments of `beam_step`, for tests and benches. Sentence b is `length + b % spread` long; `finished` hypotheses of it are there; of every
 * `closed` sentences, the last is done. With `alone` the lists are not of logits, and their first id ends.
 */
export const args = (size: Size, random: () => number) => {
  const { B, W, G, C, M, X = 1, V, closed, chosen = 0, alone = 0 } = size;
  const R = B * W;
  const beam = (): number => Math.floor(((random() + 1) / 2) * W);
  const { values, indices } = (alone ? listsAlone : listsOfLogits)(size, random);
  const open = Array.from({ length: B }, (_, b) => b).filter((b) => !isDone(b, closed)).length;
  return {
    values: f32([R, G, C + 2], (i) => values[i]),
    indices: u32([R, G, C], (i) => indices[i]),
    end_ids: u32([X], (i) => (alone ? i : (5 * i + 1) % V)),
    rows: u32([R, ROW_FIELDS], (i) => (chosen ? i % (chosen + 1) : i)), // `chosen` ids repeat
    scores: scoresOf(size, runningOf(size, random)),
    sentences: sentencesOf(size),
    // any beam of the same sentence, and another in the table of the other parity
    indirection: u32([2, R, M], (i) => Math.floor((Math.floor(i / M) % R) / W) * W + beam()),
    status: u32([STATUS_FIELDS], (i) => (i === STATUS.open ? open : 0)),
  };
};

/** Scalars and constants of `beam_step`. */
export const values = (size: Size) => {
  const { W, V, stop = EARLY_STOPPING.false, penalty = 1, steps = 0, groups = 1, group = 0, diversity = 0 } = size;
  return {
    W,
    A: size.A ?? W,
    V,
    early_stopping: stop,
    length_penalty: penalty,
    coverage_penalty: size.coverage ?? 0,
    groups,
    group,
    diversity_penalty: diversity,
    LOG_PROBS: Number(steps > 0),
    SEARCH: size.search ?? SEARCH.transformers,
  };
};
