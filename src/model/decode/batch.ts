import { LOWEST } from "../../kernels/constants.js";
import type { Lead } from "../../kernels/logits_process.js";
import type { Plan } from "../../runtime/plan.js";
import type { DecoderCore } from "../core.js";
import { lengthOf, longest, type Source, type TokenLists, totalLength } from "../inputs.js";
import type { DecoderCache } from "./cache.js";
import type { PastKeyValues } from "./past.js";
import { createStepReports, type Link, REDUNDANT, type StepReports } from "./reports.js";
import { type Generation, hasRules } from "./resolve.js";
import { acquireSearch, type Search } from "./search.js";
import { type LedStart, NO_LEAD, type SearchSize } from "./search_tensors.js";

/** What to decode. */
export interface Job {
  /** The tokens that each target begins with, at least one. */
  readonly prompts: TokenLists;
  /** What the decoder attends to, one source for each prompt; those that are one object are encoded once. */
  readonly sources?: readonly Source[];
  /**
   * What the caller gave in place of the first tokens of each prompt, padding included. Rules on scores see it, as in
   * Transformers; the model does not.
   */
  readonly leads?: readonly Lead[];
  /**
   * The last token of each prompt, if that is the first generated one: results begin with it, and it counts in their
   * scores and lengths.
   */
  readonly chosen?: readonly Pick<Link, "logProb" | "top">[];
  /** What may have read the first tokens of each prompt before. */
  readonly past?: PastKeyValues;
  /** f32[N,D]: what ids of the prompts from V on stand for. */
  readonly vectors?: Float32Array<ArrayBuffer>;
}

/** The tokens of each prompt; none where the prompts are vectors. */
export const tokensOf = ({ prompts, vectors }: Job): TokenLists => (vectors ? prompts.map(() => []) : prompts);

/** Sentences that are decoded together. */
export interface Batch {
  readonly job: Job;
  /** What the options of the call ask for. */
  readonly g: Generation;
  readonly search: Search;
  /** The place in the search of each sentence of the job; -1 after it was done and left out. */
  readonly places: readonly number[];
  readonly reports: StepReports;
}

/**
 * All sentences of a job, ready for their first step, and the plan that encoded their sources. The caller releases its
 * search.
 */
export async function openBatch(
  core: DecoderCore,
  job: Job,
  g: Generation,
): Promise<{ readonly batch: Batch; readonly encoded: Plan | undefined }> {
  let encoded: Plan | undefined;
  const search = await acquireSearch(core, sizeOf(job, g), g, async (cache) => {
    encoded = await fillCache(cache, job);
    return firstStep(job, g);
  });
  const places = Array.from({ length: job.prompts.length * g.n }, (_, b) => b);
  return { batch: { job, g, search, places, reports: createStepReports(g, begunLinks(job)) }, encoded };
}

/** The generated token with which the results of each prompt begin, if there is any. */
const begunLinks = ({ prompts, chosen }: Job): Link[] | undefined =>
  chosen?.map((link, b) => ({ ...link, id: prompts[b][prompts[b].length - 1], parent: 0 }));

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** The sizes that a job needs, rounded up so that calls of about the same size can share memory. */
export function sizeOf({ prompts, sources, leads, vectors }: Job, g: Generation): SearchSize {
  const given = leads && hasRules(g) ? longest(leads.map(({ ids }) => ids)) : 0;
  return {
    capacity: {
      B: prompts.length,
      n: g.n,
      W: g.W,
      M: roundUp(longest(prompts) + g.newTokens, 16),
      S: sources ? roundUp(totalLength([...new Set(sources)]), 64) : 1,
      vectors: vectors ? roundUp(totalLength(prompts), 64) : 0,
    },
    lead: roundUp(given, 16),
    covered: g.beamStep.coverage_penalty ? roundUp(Math.max(0, ...(sources ?? []).map(lengthOf)), 16) : 0,
  };
}

/**
 * Encodes the sources and reads each prompt without its last token, which the first step feeds. Returns the plan of the
 * encoder.
 */
async function fillCache(cache: DecoderCache, { prompts, sources, past, vectors }: Job): Promise<Plan | undefined> {
  const plan = sources && (await cache.encode(sources));
  if (vectors) cache.writeVectors(vectors);
  const read = prompts.map((ids) => ids.slice(0, -1));
  const lengths = (await past?.copyInto(cache, read)) ?? read.map(() => 0);
  const fresh = read.map((ids, b) => ids.slice(lengths[b]));
  if (fresh.some(({ length }) => length > 0)) await cache.prompt(fresh, lengths);
  return plan;
}

/**
 * The first step: all beams feed the last token of the prompt; the tokens before it are in the first row of the prompt.
 */
function firstStep({ prompts, leads, chosen }: Job, g: Generation): LedStart[] {
  const { n, W, search, newTokens, forced_bos } = g;
  const redundant = search === "opennmt" ? LOWEST : REDUNDANT;
  return prompts.flatMap((ids, b) => {
    const tokens = ids.slice(0, -1);
    const past = tokens.map(() => b * n * W);
    const id = ids[ids.length - 1];
    const begin = ids.length - Number(chosen !== undefined);
    // All beams are equal at first: only the first may be continued.
    const start: LedStart = {
      length: ids.length,
      start: begin,
      limit: begin + newTokens,
      beams: Array.from({ length: W }, (_, w) => ({
        id,
        score: w === 0 ? (chosen?.[b].logProb ?? 0) : redundant,
        tokens,
        past,
      })),
      finished: [],
      lead: { ...(leads?.[b] ?? NO_LEAD), forced_bos: forced_bos[b] },
    };
    return Array.from({ length: n }, () => start);
  });
}
