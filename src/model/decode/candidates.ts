import { type Candidate, type CandidateLists, candidates, chosenBefore } from "../../kernels/beam_reference.js";
import { NO_ID } from "../../kernels/constants.js";
import { readSentence, type SearchReport } from "../../kernels/search_host.js";
import { REPORT } from "../../kernels/search_state.js";
import type { TypedArray } from "../../runtime/tensor.js";
import type { Generation } from "./resolve.js";

/** A token and its log-probability. */
export interface TokenLogprob {
  /** The token. */
  readonly token_id: number;
  /** Its natural logarithm of the probability. */
  readonly logprob: number;
}

/** The best tokens of each row, as `topk` and `sample` list them. */
type Lists = Omit<CandidateLists, "scores">;

/** A step as the host sees it, where the candidates are shown. */
export interface SeenStep {
  readonly before: SearchReport;
  readonly after: SearchReport;
  /** Where sentence b of the call is in the reports; -1 if it is not there any more. */
  readonly places: readonly number[];
  /** The most hypotheses that any sentence of the reports keeps, and the size of the vocabulary. */
  readonly A: number;
  readonly V: number;
  /** What the search chose from: lists of so many rows. */
  readonly R: number;
  readonly lists: Lists;
  /** What `sample` drew from: those of its rows that have the highest logits. */
  readonly top: Lists | undefined;
}

/** The lists of R rows among what the host read after a step, if any are shown. */
export function readLists(read: readonly TypedArray[], R: number): Pick<SeenStep, "lists" | "top" | "R"> | undefined {
  const [values, indices, topValues, topIndices] = read.slice(REPORT.length);
  const top = topValues && { values: topValues, indices: topIndices };
  return values && { R, lists: { values, indices }, top };
}

/** The parts of each of R rows in their lists, and the candidates of a part. */
function sizesOf({ values, indices }: Lists, R: number): { readonly G: number; readonly C: number } {
  const G = (values.length - indices.length) / 2 / R;
  return { G, C: indices.length / R / G };
}

/** A candidate, and how much its score would be higher without earlier groups, if there are any. */
export type SeenCandidate = Candidate & { readonly handicap?: number };

/** All candidates that the sentence at this place of the reports had in a step, best first. */
export function candidatesOf({ before, after, A, V, R, lists }: SeenStep, place: number): SeenCandidate[] {
  const sentence = readSentence(before, place, A);
  const { group, diversity_penalty } = sentence.settings;
  const chosen = chosenBefore(after, place, group, A);
  const found = candidates({ ...sizesOf(lists, R), V }, { ...lists, scores: before.scores }, chosen, sentence);
  if (chosen.length === 0) return found;
  const times = (id: number): number => chosen.filter((other) => other === id).length;
  return found.map((one) => ({ ...one, handicap: diversity_penalty * times(one.id) }));
}

/** The best tokens of each beam of the sentence at this place, with their log-probabilities: as many as the results have. */
export function topLogprobs(g: Generation, seen: SeenStep, place: number): TokenLogprob[][] {
  const { done, settings } = readSentence(seen.before, place, seen.A);
  if (g.sampling) return [drawnFrom(g, seen, settings.first)];
  const found = done ? [] : candidatesOf(seen, place);
  return Array.from({ length: g.W }, (_, w) =>
    found
      .filter((one) => one.w === w)
      .slice(0, g.top_logprobs)
      .map(({ id, logProb }) => ({ token_id: id, logprob: logProb })),
  );
}

const SLACK = 1e-5; // of the sums of f32 by which the end of a nucleus is found

/**
 * The best tokens among those from which row r drew. `sample` tells the sum of their weights, and none that it left out
 * is more probable than one of them.
 */
function drawnFrom({ sampling, top_logprobs }: Generation, { R, lists, top }: SeenStep, r: number): TokenLogprob[] {
  if (!sampling || !top) return [];
  const { temperature, top_k, top_p, min_p } = sampling;
  const { G, C } = sizesOf(lists, R);
  const sum = lists.values[r * G * (C + 2) + C + 1];
  const best = bestOf(top, r, R);
  const scored = best.map(({ id, logit }) => ({ id, score: (logit - best[0].logit) / temperature }));
  const least = scored[top_k - 1]?.score ?? -Infinity;
  const above = (score: number): number =>
    scored.reduce((total, other) => total + (other.score > score ? Math.exp(other.score) : 0), 0);
  return scored
    .slice(0, top_logprobs)
    .filter(({ score }) => score >= least && Math.exp(score) >= min_p)
    .filter(({ score }) => top_p === 1 || above(score) < sum * (1 - SLACK))
    .map(({ id, score }) => ({ token_id: id, logprob: score - Math.log(sum) }));
}

/** The tokens in the lists of row r of R, best first. */
function bestOf({ values, indices }: Lists, r: number, R: number): { readonly id: number; readonly logit: number }[] {
  const { G, C } = sizesOf({ values, indices }, R);
  return Array.from({ length: G * C }, (_, i) => ({ part: r * G + Math.floor(i / C), c: i % C }))
    .map(({ part, c }) => ({ id: indices[part * C + c], logit: values[part * (C + 2) + c] }))
    .filter(({ id }) => id !== NO_ID)
    .sort((a, b) => b.logit - a.logit || a.id - b.id);
}
