import type { Node, Tree } from "./forest.js";
import type { SentenceStep, StepCandidate } from "../../../src/index.js";

const REASONS: Readonly<Record<NonNullable<StepCandidate["reason"]>, string>> = {
  rank: "cut: other candidates of this step scored higher and took all the beams",
  worse: "cut: it ends, but scores below the worst finished hypothesis that is kept",
  diversity: "cut only because an earlier group of beams chose the same token in this step",
  done: "cut: the search was over after this step",
};

const ENDS: Readonly<Record<NonNullable<SentenceStep["done"]>, string>> = {
  max_length: "The search ended because the results had reached their maximum length.",
  ended: "The search ended with its end token.",
  early_stopping: "The search ended as soon as there were as many finished hypotheses as beams (early_stopping).",
  no_better: "The search ended because no open beam could beat the finished hypotheses.",
  no_candidate: "The search ended because no token was allowed any more.",
  stop_string: "The search ended with a stop string.",
};

/** What became of a candidate, and why. */
export function fateOf({ fate, reason, rank, step, ranking_score, branches }: Node): string {
  if (step === 0) return "what every result begins with";
  if (branches) return "one of the best next tokens: an alternative goes on from here, as if there were no other";
  if (fate === "finished") return `finished: a whole result, with score ${ranking_score.toFixed(4)}`;
  if (fate === "kept") return `kept: number ${rank + 1} of this step's candidates`;
  return REASONS[reason ?? "rank"];
}

/** Why the search of a tree ended; undefined while it goes on. */
export const endOf = ({ parts }: Tree): string | undefined =>
  parts.every(({ done }) => done) ? ENDS[parts[0].done ?? "ended"] : undefined;

/** The name of one of several trees. */
export const titleOf = ({ group }: Tree, count: number): string | undefined =>
  count > 1 ? `Group ${group + 1}` : undefined;
