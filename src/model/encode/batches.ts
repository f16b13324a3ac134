import { handled } from "../../runtime/scopes.js";
import type { Core } from "../core.js";
import { checkFinite } from "../finite.js";
import { type EncoderInput, lengthOf, pooledOf, totalLength } from "../inputs.js";
import type { SequenceResults } from "../results.js";
import { checkSequence } from "../sequences.js";
import { type BatchSize, prepareBatch, readsByDecoder, type Wanted } from "./prepared_batch.js";

/** How a caller follows, stops and batches encoding. */
export interface EncodeHooks {
  readonly signal?: AbortSignal;
  /** Called after each batch, when `loaded` of `total` sequences are done. */
  readonly progress?: (event: { readonly status: "progress"; readonly loaded: number; readonly total: number }) => void;
  /** Most tokens of a batch. Default 2048. */
  readonly batch_tokens?: number;
}

const BATCH_TOKENS = 2048;
const IN_FLIGHT = 2; // while one batch runs, the next is prepared and submitted

/**
 * Runs sequences through the encoder and its head in batches. Results come in the order of `given`. Throws InputError
 * for sequences that the model cannot take and for results that are not finite, and the signal's reason.
 */
export async function encodeAll(
  core: Core,
  given: readonly EncoderInput[],
  wanted: Wanted,
  { signal, progress, batch_tokens = BATCH_TOKENS }: EncodeHooks = {},
): Promise<SequenceResults[]> {
  given.forEach((input, index) => checkSequence(core.architecture, input, index));
  const { pad } = core.architecture.head ?? {};
  const inputs = pad === undefined || !wanted.logits ? given : given.map((input) => withoutPadding(input, pad));
  const results: SequenceResults[] = [];
  const total = inputs.length;
  let loaded = 0;
  const runBatch = async (batch: readonly number[]): Promise<void> => {
    const encoded = await encodeBatch(
      core,
      batch.map((index) => inputs[index]),
      wanted,
    );
    batch.forEach((index, at) => {
      for (const [name, values] of Object.entries(encoded[at])) checkFinite(name, values, index);
      results[index] = encoded[at];
    });
    loaded += batch.length;
    if (!signal?.aborted) progress?.({ status: "progress", loaded, total });
  };
  const running: Promise<void>[] = [];
  try {
    for (const batch of batchesOf(inputs.map(lengthOf), batch_tokens)) {
      signal?.throwIfAborted();
      running.push(handled(runBatch(batch)));
      if (running.length >= IN_FLIGHT) await running.shift();
    }
    await Promise.all(running);
    signal?.throwIfAborted();
  } finally {
    await Promise.allSettled(running); // until then they use memory of the idle cache
  }
  return results;
}

/** A sequence of which no padding at its end is pooled (GenericForSequenceClassification of Transformers). */
function withoutPadding(input: EncoderInput, pad: number): EncoderInput {
  if (!("ids" in input) || input.ids[input.ids.length - 1] !== pad) return input;
  const last = input.ids.findLastIndex((id) => id !== pad);
  return { ...input, pooled: [[0, Math.max(0, last) + 1]] };
}

/**
 * Indices of sequences in batches of similar length, longest first, of at most `budget` tokens; a longer sequence is
 * alone.
 */
function batchesOf(lengths: readonly number[], budget: number): number[][] {
  const order = lengths.map((_, index) => index).sort((x, y) => lengths[y] - lengths[x] || x - y);
  const batches: number[][] = [];
  let tokens = Infinity;
  for (const index of order) {
    if (tokens + lengths[index] > budget) {
      batches.push([]);
      tokens = 0;
    }
    batches[batches.length - 1].push(index);
    tokens += lengths[index];
  }
  return batches;
}

/** Runs one batch. Its plan and memory are kept for later batches of the same size. */
async function encodeBatch(core: Core, inputs: readonly EncoderInput[], wanted: Wanted): Promise<SequenceResults[]> {
  const needsLongest = wanted.attentions === true || readsByDecoder(core.architecture, wanted.logits);
  const size: BatchSize = {
    N: totalLength(inputs),
    B: inputs.length,
    T: needsLongest ? inputs.reduce((most, input) => Math.max(most, lengthOf(input)), 0) : 0,
    X: inputs.some((input) => "pooled" in input) ? inputs.reduce((sum, input) => sum + pooledOf(input).length, 0) : 0,
    features: inputs.some((input) => !("ids" in input)),
  };
  const key = `encode ${JSON.stringify([size, wanted])}`;
  const batch = await core.idle.acquire(key, () => prepareBatch(core, size, wanted));
  try {
    return await batch.run(inputs);
  } finally {
    core.idle.release(key, batch);
  }
}
