import {
  type Candidate,
  type CandidateLists,
  candidates,
  chosenBefore,
  penalised,
  SEARCH,
} from "../../kernels/beam_reference.js";
import { NO_ID } from "../../kernels/constants.js";
import { PLANES, readSentence, REPORT, ROW_FIELDS, type SearchReport } from "../../kernels/search_state.js";
import type { TypedArray } from "../../runtime/tensor.js";
import { asLogProbs, type Generation } from "./resolve.js";

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
  /** Where sentence b is in the reports; -1 if it was done and is left out. */
  readonly places: readonly number[];
  /** What the search chose from. */
  readonly lists: Lists;
  /** What `sample` drew from: those of its rows that have the highest logits. */
  readonly top: Lists | undefined;
}

/** The lists among what the host read after a step, if any are shown. */
export function readLists(read: readonly TypedArray[]): Pick<SeenStep, "lists" | "top"> | undefined {
  const [values, indices, topValues, topIndices] = read.slice(REPORT.length);
  const top = topValues && { values: topValues, indices: topIndices };
  return values && { lists: { values, indices }, top };
}

/** The parts of a row in its lists, and the candidates of a part. */
function sizesOf({ values, indices }: Lists, R: number): { readonly G: number; readonly C: number } {
  const G = (values.length - indices.length) / 2 / R;
  return { G, C: indices.length / R / G };
}

/** The sizes and parameters with which `beam_step` ran in a sentence. */
function dimsOf(g: Generation, V: number, { before, lists }: SeenStep, sentence: number) {
  const sizes = sizesOf(lists, before.rows.length / ROW_FIELDS);
  const group = sentence % g.beamStep.groups;
  const Q = before.scores.length / PLANES;
  return { ...g.beamStep, ...sizes, W: g.W, V, Q, group, LOG_PROBS: asLogProbs(g), SEARCH: SEARCH[g.search] };
}

/** A candidate, and how much its score would be higher without earlier groups, if there are any. */
export type SeenCandidate = Candidate & { readonly handicap?: number };

/** All candidates that the sentence at this place of the search had in a step, best first. */
export function candidatesOf(g: Generation, V: number, seen: SeenStep, sentence: number): SeenCandidate[] {
  const { before, after, lists } = seen;
  const d = dimsOf(g, V, seen, sentence);
  const chosen = chosenBefore(d, after, sentence);
  const found = candidates(
    sentence,
    d,
    { ...lists, scores: before.scores },
    chosen,
    readSentence(before, sentence, g.W),
  );
  if (chosen.length === 0) return found;
  const times = (id: number): number => chosen.filter((other) => other === id).length;
  return found.map((one) => ({ ...one, handicap: d.diversity_penalty * times(one.id) }));
}

/** The score of a sum of log-probabilities after so many generated tokens. */
export const rankingScore = (
  { search, beamStep: { length_penalty } }: Generation,
  sum: number,
  count: number,
): number => penalised({ SEARCH: SEARCH[search], length_penalty }, sum, count);

/** The best tokens of each row in a step, with their log-probabilities: as many as the results have. */
export function topLogprobs(g: Generation, V: number, seen: SeenStep): TokenLogprob[][] {
  const R = seen.before.rows.length / ROW_FIELDS;
  if (seen.top) return Array.from({ length: R }, (_, r) => drawnFrom(g, seen, r));
  return Array.from({ length: R / g.W }, (_, sentence) => {
    const found = readSentence(seen.before, sentence, g.W).done ? [] : candidatesOf(g, V, seen, sentence);
    return Array.from({ length: g.W }, (_, w) =>
      found
        .filter((one) => one.w === w)
        .slice(0, g.top_logprobs)
        .map(({ id, logProb }) => ({ token_id: id, logprob: logProb })),
    );
  }).flat();
}

const SLACK = 1e-5; // of the sums of f32 by which the end of a nucleus is found

/**
 * The best tokens among those from which row r drew. `sample` tells the sum of their weights, and none that it left out
 * is more probable than one of them.
 */
function drawnFrom({ sampling, top_logprobs }: Generation, { lists, top }: SeenStep, r: number): TokenLogprob[] {
  if (!sampling || !top) return [];
  const { temperature, top_k, top_p, min_p } = sampling;
  const sum = lists.values[3 * r + 2];
  const best = bestOf(top, r, top.indices.length / (lists.indices.length * top_logprobs));
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

/** The tokens in the G lists of row r, best first. */
function bestOf({ values, indices }: Lists, r: number, G: number): { readonly id: number; readonly logit: number }[] {
  const C = indices.length / ((values.length - indices.length) / 2);
  return Array.from({ length: G * C }, (_, i) => ({ part: r * G + Math.floor(i / C), c: i % C }))
    .map(({ part, c }) => ({ id: indices[part * C + c], logit: values[part * (C + 2) + c] }))
    .filter(({ id }) => id !== NO_ID)
    .sort((a, b) => b.logit - a.logit || a.id - b.id);
}
