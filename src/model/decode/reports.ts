import { readBeam, readSentence, type SearchReport, type SentenceReport } from "../../kernels/search_state.js";
import type { Generation } from "./resolve.js";

/** A token of a sentence, on the way that the parents of each step lead back. */
export interface Link {
  readonly id: number;
  readonly logProb: number;
  /** The beam that held the token before it. */
  readonly parent: number;
}

/** One result of a sentence: the tokens after its prompt, and its score. */
export interface Hypothesis {
  readonly ids: readonly number[];
  readonly score: number;
  /** Log-probability of each token, after generation rules. */
  readonly logProbs: readonly number[];
}

/** What the host has read of a search, a report a step; sentences are counted as at its start, whatever batch they are in by now. */
export interface StepReports {
  /** Steps reported. */
  readonly length: number;
  /** Adds the report of a step: sentence b is in its place `places[b]`; -1 once it was done and left out of the batch. */
  append(report: SearchReport, places: readonly number[]): void;
  /** Sentence b in the last report that has it. */
  latest(b: number): SentenceReport;
  /** The tokens generated on the way to a beam of sentence b, oldest first, up to `step`: the last that has it when absent. */
  backtrace(b: number, beam: number, step?: number): Link[];
  /** The finished hypothesis of this rank of sentence b. */
  hypothesis(b: number, rank: number): Hypothesis;
  /** The first `count` tokens of a sentence of one beam, finished or not. */
  truncate(b: number, count: number): Hypothesis;
}

/** The reports of a search; empty at first. */
export function createStepReports({ W, beamStep: { length_penalty } }: Generation): StepReports {
  const reports: { readonly report: SearchReport; readonly places: readonly number[] }[] = [];

  const lastStep = (b: number): number => reports.findLastIndex(({ places }) => places[b] >= 0);
  const latest = (b: number): SentenceReport => {
    const { report, places } = reports[lastStep(b)];
    return readSentence(report, places[b], W);
  };
  const backtrace = (b: number, beam: number, step = lastStep(b)): Link[] => {
    const links: Link[] = [];
    for (let s = step, w = beam; s >= 0; s--) {
      const { id, logProb, parent } = readBeam(reports[s].report, reports[s].places[b], w, W);
      links.push({ id, logProb, parent });
      w = parent;
    }
    return links.reverse();
  };
  const hypothesis = (b: number, rank: number): Hypothesis => {
    const { start, finished } = latest(b);
    const { length, parent, id, logProb } = finished[rank];
    return hypothesisOf([...backtrace(b, parent, length - start - 2), { id, logProb }], length_penalty);
  };

  return {
    get length() {
      return reports.length;
    },
    append: (report, places) => void reports.push({ report, places }),
    latest,
    backtrace,
    hypothesis,
    truncate(b, count) {
      if (!latest(b).done) return hypothesisOf(backtrace(b, 0).slice(0, count), length_penalty);
      const { ids, logProbs } = hypothesis(b, 0);
      const links = ids.map((id, t) => ({ id, logProb: logProbs[t] }));
      return hypothesisOf(links.slice(0, count), length_penalty);
    },
  };
}

/** A hypothesis of these tokens; its score adds up in f64. */
function hypothesisOf(links: readonly Pick<Link, "id" | "logProb">[], length_penalty: number): Hypothesis {
  const logProbs = links.map(({ logProb }) => logProb);
  const score = logProbs.reduce((sum, logProb) => sum + logProb, 0) / links.length ** length_penalty;
  return { ids: links.map(({ id }) => id), score, logProbs };
}
