import type { Job } from "./job.js";
import type { Decode, DecodeHooks, Decoded } from "../loop/call.js";
import type { AllOptions } from "./options.js";
import { type Hypothesis, REDUNDANT } from "./reports.js";
import type { Generation } from "./resolve.js";
import type { SentenceName } from "./search_step.js";

/** How the alternatives of a call are found. */
export interface Branching {
  /** The search for the next tokens. */
  readonly first: Generation;
  /** The least probability of a next token. */
  readonly least: number;
}

/**
 * The options of the search for the best next tokens: a step with a beam for each, whose hypotheses they are. None ends
 * the text, as in CTranslate2, and none is the token that the whole result must end with.
 */
export const branchOptions = (o: AllOptions): AllOptions => ({
  ...o,
  return_alternatives: false,
  search: "transformers",
  patience: 1,
  num_beams: o.num_return_sequences,
  max_new_tokens: 1,
  min_new_tokens: 1,
  forced_eos_token_id: undefined,
  length_penalty: 1,
});

/** What follows a search whose sentences have these names. */
export type Follow = (g: Generation, name: (b: number) => SentenceName) => DecodeHooks["onStep"];

/** How a caller follows and stops the search for alternatives. */
interface AlternativesHooks {
  readonly signal: AbortSignal | undefined;
  readonly priority: number | undefined;
  readonly follow: Follow;
}

/**
 * Alternatives after the prompts of a job (`decode_alternatives` of CTranslate2): the best next tokens of each, in the
 * order of their probability, each continued by the search `g` as if there were no other. Sources are encoded once for
 * all of them, and no step waits for the host but the one between the two searches. Throws as `decode` does.
 */
export async function decodeAlternatives(
  decode: Decode,
  job: Job,
  g: Generation,
  { first, least }: Branching,
  { follow, ...hooks }: AlternativesHooks,
): Promise<Decoded> {
  const best = { ...first, shown: g.shown && Math.max(g.shown, first.W + first.beams) };
  const begun = await decode(job, best, { ...hooks, onStep: follow(best, (row) => ({ row, sentence: 0 })) });
  const likely = ({ score }: Hypothesis): boolean => score > REDUNDANT / 2 && Math.exp(score) >= least;
  const branches = begun.hypotheses.map((list) => list.filter(likely));
  if (g.newTokens === 1 || branches.every(({ length }) => length === 0)) return { ...begun, hypotheses: branches };
  const from = branches.flatMap((list, b) => list.map(() => b));
  const pick = <T>(all: readonly T[] | undefined): readonly T[] | undefined => all && from.map((b) => all[b]);
  const chosen = branches.flat();
  const name = (b: number): SentenceName => ({ row: from[b], sentence: 0, alternative: b - from.indexOf(from[b]) });
  const next = await decode(
    {
      prompts: chosen.map(({ ids }, i) => [...job.prompts[from[i]], ...ids]),
      sources: pick(job.sources),
      leads: pick(job.leads),
      chosen: chosen.map(({ logProbs, top }) => ({ logProb: logProbs[0], top: top[0] })),
    },
    { ...g, forced_bos: from.map((b) => g.forced_bos[b]) },
    { ...hooks, onStep: follow(g, name) },
  );
  return {
    hypotheses: branches.map((_, b) => next.hypotheses.flatMap((list, i) => (from[i] === b ? list : []))),
    steps: begun.steps + next.steps,
    ms: begun.ms + next.ms,
    launches: next.launches,
    compactions: next.compactions,
  };
}
