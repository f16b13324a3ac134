import type { Plan } from "../../runtime/plan.js";
import type { DecoderCore } from "../core.js";
import { type EncoderInput, type TokenLists, totalLength } from "../inputs.js";
import type { Capacity, DecoderCache } from "./cache.js";
import type { PastKeyValues } from "./past.js";
import { createStepReports, type StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";
import { acquireSearch, type PaddedStart, type Search } from "./search.js";

/** What to decode: the tokens each target begins with (at least one), the sources of an encoder, and tokens computed before. */
export interface Job {
  readonly prompts: TokenLists;
  readonly sources?: readonly EncoderInput[];
  /** Padding that the caller put before each prompt: rules on scores see it, as in Transformers; the model does not. */
  readonly padding?: TokenLists;
  /** Keys and values of the first tokens of each prompt, and of how many. */
  readonly known?: { readonly past: PastKeyValues; readonly lengths: readonly number[] };
}

/** Sentences being decoded together. */
export interface Batch {
  readonly job: Job;
  readonly g: Generation;
  readonly search: Search;
  /** The place of each sentence of the job in the search; -1 once it is done and left out. */
  readonly places: readonly number[];
  readonly reports: StepReports;
}

/** All sentences of a job before their first step, and the plan that encoded their sources. Release its search. */
export async function openBatch(
  core: DecoderCore,
  job: Job,
  g: Generation,
): Promise<{ readonly batch: Batch; readonly encoded: Plan | undefined }> {
  let encoded: Plan | undefined;
  const search = await acquireSearch(core, capacityOf(job, g), g, async (cache) => {
    encoded = await fillCache(cache, job);
    return firstStep(job, g);
  });
  const places = Array.from({ length: job.prompts.length * g.n }, (_, b) => b);
  return { batch: { job, g, search, places, reports: createStepReports(g) }, encoded };
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Room for a job, rounded up so that calls of about the same size share their memory. */
function capacityOf({ prompts, sources }: Job, { n, W, newTokens }: Generation): Capacity {
  const longest = Math.max(...prompts.map(({ length }) => length));
  return {
    B: prompts.length,
    n,
    W,
    M: roundUp(longest + newTokens, 16),
    S: sources ? roundUp(totalLength(sources), 64) : 1,
  };
}

/** Encodes the sources and reads what each prompt has before its last token, which the first step feeds. Returns the encoder's plan. */
async function fillCache(cache: DecoderCache, { prompts, sources, known }: Job): Promise<Plan | undefined> {
  const plan = sources && (await cache.encode(sources));
  const lengths = prompts.map((ids, b) => Math.min(known?.lengths[b] ?? 0, ids.length - 1));
  await known?.past.copyInto(cache, lengths);
  const fresh = prompts.map((ids, b) => ids.slice(lengths[b], -1));
  if (fresh.some(({ length }) => length > 0)) await cache.prompt(fresh, lengths);
  return plan;
}

/** Before the first step: all beams feed the last token of the prompt; what is before it lies in the prompt's first row. */
function firstStep({ prompts, padding }: Job, { n, W, newTokens }: Generation): PaddedStart[] {
  return prompts.flatMap((ids, b) => {
    const tokens = ids.slice(0, -1);
    const past = tokens.map(() => b * n * W);
    const id = ids[ids.length - 1];
    const start: PaddedStart = {
      length: ids.length,
      start: ids.length,
      limit: ids.length + newTokens,
      beams: Array.from({ length: W }, (_, w) => ({ id, score: w === 0 ? 0 : -1e9, tokens, past })), // equal beams count once
      finished: [],
      padding: padding?.[b] ?? [],
    };
    return Array.from({ length: n }, () => start);
  });
}
