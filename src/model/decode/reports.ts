import type { TypedArray } from "../../runtime/tensor.js";
import type { Generation } from "./options.js";

/** What the host read after one step: rows u32[R,4], scores f32[4,R], sentences u32[B,4+3*W], status u32[2]. */
export interface Report {
  readonly values: readonly TypedArray[];
  /** Where sentence b lies in them; -1 once it was done and compacted away. */
  readonly places: readonly number[];
}

/** Planes of `scores`. */
const [RUNNING, FINISHED, TOKEN, LAST] = [0, 1, 2, 3];

/** One sentence of a report. */
export interface SentenceReport {
  readonly length: number;
  readonly prompt: number;
  readonly limit: number;
  readonly done: boolean;
  readonly rows: readonly {
    readonly id: number;
    readonly parent: number;
    readonly score: number;
    readonly logProb: number;
  }[];
  /** Best first. */
  readonly finished: readonly {
    readonly length: number;
    readonly parent: number;
    readonly id: number;
    readonly score: number;
    readonly logProb: number;
  }[];
}

/** Sentence b of W beams in a report that has it. */
export function sentenceOf(
  { values: [rows, scores, sentences], places }: Report,
  b: number,
  W: number,
): SentenceReport {
  const at = places[b];
  const R = rows.length / 4;
  const plane = (index: number, w: number): number => scores[index * R + at * W + w];
  const [length, prompt, limit, done, ...finished] = sentences.subarray(at * (4 + 3 * W), (at + 1) * (4 + 3 * W));
  return {
    length,
    prompt,
    limit,
    done: done === 1,
    rows: Array.from({ length: W }, (_, w) => ({
      id: rows[4 * (at * W + w)],
      parent: rows[4 * (at * W + w) + 3],
      score: plane(RUNNING, w),
      logProb: plane(TOKEN, w),
    })),
    finished: Array.from({ length: W }, (_, i) => ({
      length: finished[3 * i],
      parent: finished[3 * i + 1],
      id: finished[3 * i + 2],
      score: plane(FINISHED, i),
      logProb: plane(LAST, i),
    })).filter((hypothesis) => hypothesis.length > 0),
  };
}

/** The last report that has sentence b. */
function lastStep(reports: readonly Report[], b: number): number {
  return reports.findLastIndex(({ places }) => places[b] >= 0);
}

export function latest(reports: readonly Report[], b: number, W: number): SentenceReport {
  return sentenceOf(reports[lastStep(reports, b)], b, W);
}

interface Link {
  readonly id: number;
  readonly logProb: number;
  /** The beam that it was chosen for, the one before it was. */
  readonly parent: number;
}

/** Tokens that beam w of sentence b has chosen up to a step (the latest when absent), the first first. */
export function ancestors(
  reports: readonly Report[],
  b: number,
  w: number,
  W: number,
  step = lastStep(reports, b),
): Link[] {
  const links: Link[] = [];
  for (let [at, beam] = [step, w]; at >= 0; at--) {
    const {
      values: [rows, scores],
      places,
    } = reports[at];
    const r = places[b] * W + beam;
    const parent = rows[4 * r + 3];
    links.push({ id: rows[4 * r], logProb: scores[(TOKEN * rows.length) / 4 + r], parent });
    beam = parent;
  }
  return links.reverse();
}

/** One result of a sentence: the tokens after its prompt, and its score. */
export interface Hypothesis {
  readonly ids: readonly number[];
  readonly score: number;
  /** Log-probability of each token, after generation rules. */
  readonly logProbs: readonly number[];
}

/** A hypothesis of these tokens; its score adds up in f64. */
function hypothesisOf(links: readonly Pick<Link, "id" | "logProb">[], { length_penalty }: Generation): Hypothesis {
  const logProbs = links.map(({ logProb }) => logProb);
  const score = logProbs.reduce((sum, logProb) => sum + logProb, 0) / links.length ** length_penalty;
  return { ids: links.map(({ id }) => id), score, logProbs };
}

/** The finished hypothesis of this rank, walked back through the parents that each step reported. */
export function trace(reports: readonly Report[], b: number, rank: number, g: Generation): Hypothesis {
  const sentence = latest(reports, b, g.W);
  const { length, parent, id, logProb } = sentence.finished[rank];
  return hypothesisOf([...ancestors(reports, b, parent, g.W, length - sentence.prompt - 2), { id, logProb }], g);
}

/** The first tokens of a sentence of one beam, finished or not. */
export function cut(reports: readonly Report[], b: number, kept: number, g: Generation): Hypothesis {
  const { done } = latest(reports, b, g.W);
  if (!done) return hypothesisOf(ancestors(reports, b, 0, g.W).slice(0, kept), g);
  const { ids, logProbs } = trace(reports, b, 0, g);
  return hypothesisOf(
    ids.slice(0, kept).map((id, t) => ({ id, logProb: logProbs[t] })),
    g,
  );
}
