import type { SentenceReport } from "../../kernels/search_host.js";
import type { TokenLogprob } from "./candidates.js";
import type { Generation } from "./resolve.js";

/**
 * The score with which all beams but the first begin, as they are equal to it. Also that of a result that a search did
 * not find, as in Transformers.
 */
export const REDUNDANT = -1e9;

/** A token of a sentence and a link to the one before it. */
export interface Link {
  readonly id: number;
  readonly logProb: number;
  /** The beam that holds the token before it. */
  readonly parent: number;
  /** The best tokens of its step, where they are asked for. */
  readonly top?: readonly TokenLogprob[];
}

/** One result of a sentence: the tokens after its prompt, and its score. */
export interface Hypothesis {
  readonly ids: readonly number[];
  readonly score: number;
  /** Log-probability of each token, after all rules on scores. */
  readonly logProbs: readonly number[];
  /** The best tokens in the place of each, where they are asked for. */
  readonly top: readonly (readonly TokenLogprob[] | undefined)[];
}

/** What a step did to a sentence. */
export interface SentenceUpdate {
  /** The number of the sentence in its call. */
  readonly b: number;
  readonly report: SentenceReport;
  /** The best tokens of each of its beams, where they are asked for. */
  readonly top?: readonly (readonly TokenLogprob[])[];
}

/** The reports of the sentences of a call, which take steps together or on their own. */
export interface StepReports {
  /** Number of steps in which any sentence took part. */
  readonly length: number;
  /** Adds a step. */
  append(updates: readonly SentenceUpdate[]): void;
  /** Sentence b after its last step; undefined before the first. */
  latest(b: number): SentenceReport | undefined;
  /** The tokens that lead to a beam of sentence b, oldest first, up to its step `step` (default: the last one). */
  backtrace(b: number, beam: number, step?: number): Link[];
  /** The finished hypothesis of sentence b with this rank, 0 the best. */
  hypothesis(b: number, rank: number): Hypothesis;
  /** The first `count` tokens of a sentence with a single beam, finished or not. */
  truncate(b: number, count: number): Hypothesis;
}

/** A list of reports of `sentences` sentences, empty at first. `begun` has a token of each that was generated before, if there is any: hypotheses begin with it, `backtrace` does not. */
export function createStepReports(
  { search, beamStep: { length_penalty } }: Generation,
  sentences: number,
  begun: readonly Link[] | undefined,
): StepReports {
  const all = Array.from({ length: sentences }, (): SentenceUpdate[] => []);
  let length = 0;

  const latest = (b: number): SentenceReport | undefined => all[b][all[b].length - 1]?.report;
  const linkAt = (s: number, b: number, { id, logProb, parent }: Omit<Link, "top">): Link => {
    const { top } = all[b][s];
    return { id, logProb, parent, ...(top && { top: top[parent] }) };
  };
  const backtrace = (b: number, beam: number, step = all[b].length - 1): Link[] => {
    const links: Link[] = [];
    for (let s = step, w = beam; s >= 0; s--) {
      links.push(linkAt(s, b, all[b][s].report.beams[w]));
      w = links[links.length - 1].parent;
    }
    return links.reverse();
  };
  const hypothesis = (b: number, rank: number): Hypothesis => {
    const { start, finished } = latest(b) as SentenceReport;
    const { length, parent, id, logProb, score } = finished[rank];
    const before = begun ? [begun[b]] : [];
    const step = length - start - 1 - before.length;
    const links = [...backtrace(b, parent, step - 1), linkAt(step, b, { id, logProb, parent })];
    const hypothesis = hypothesisOf(links, length_penalty, before);
    return search === "opennmt" ? { ...hypothesis, score } : hypothesis;
  };

  return {
    get length() {
      return length;
    },
    append(updates) {
      length++;
      for (const update of updates) all[update.b].push(update);
    },
    latest,
    backtrace,
    hypothesis,
    truncate(b, count) {
      const whole = latest(b)?.done ? hypothesis(b, 0) : hypothesisOf(backtrace(b, 0), length_penalty);
      return hypothesisOf(linksOf(whole).slice(0, count), length_penalty);
    },
  };
}

/**
 * A hypothesis of these tokens after those of `before`; its score is summed in f64 from that of the beam with which it
 * begins.
 */
function hypothesisOf(links: readonly Link[], length_penalty: number, before: readonly Link[] = []): Hypothesis {
  const all = [...before, ...links];
  const logProbs = all.map(({ logProb }) => logProb);
  const sum = logProbs.reduce((total, logProb) => total + logProb, links[0]?.parent ? REDUNDANT : 0);
  const top = all.map(({ top }) => top);
  return { ids: all.map(({ id }) => id), score: sum / all.length ** length_penalty, logProbs, top };
}

/** The tokens of a result of a single beam. */
export const linksOf = ({ ids, logProbs, top }: Hypothesis): Link[] =>
  ids.map((id, t) => ({ id, logProb: logProbs[t], parent: 0, top: top[t] }));
