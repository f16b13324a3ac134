import type { Prepared } from "../../runtime/prepare.js";
import { record } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { Stack } from "../graph/architecture.js";
import type { Core } from "../core.js";
import { encoder } from "../graph/encoder.js";
import { head, type PoolingChoice, sentenceVectors } from "../graph/heads.js";
import { packRows, packSpans } from "../inputs.js";

/** One sequence: its token ids and, for models with segments, the segment of each token. */
export interface EncoderRow {
  readonly ids: readonly number[];
  readonly segments?: readonly number[];
}

/** What to bring back of an encoder's run. */
export interface Wanted {
  readonly last_hidden_state?: boolean;
  /** After the embeddings and after each layer. */
  readonly hidden_states?: boolean;
  readonly attentions?: boolean;
  readonly pooler_output?: boolean;
  readonly logits?: boolean;
  readonly embedding?: PoolingChoice;
}

/** Results of one sequence by name (`hidden_states.3`, `attentions.0`): rows of its own tokens, or one row of the sentence. */
export type Encoded = Readonly<Record<string, Float32Array>>;

export interface EncodeHooks {
  readonly signal?: AbortSignal;
  /** Called after each batch: `loaded` of `total` sequences are done. */
  readonly progress?: (event: { readonly status: "progress"; readonly loaded: number; readonly total: number }) => void;
  /** Most tokens of a batch. Default 2048. */
  readonly batch_tokens?: number;
}

/** Sizes of a batch: N tokens in B sequences, none longer than T where that matters. */
interface BatchSize {
  readonly N: number;
  readonly B: number;
  readonly T: number;
}

/** A result: f32[N,columns] with a row a token, or f32[B,columns] with a row a sentence. */
interface Output {
  readonly name: string;
  readonly per: "token" | "sentence";
  readonly t: Tensor;
}

interface Encoding {
  readonly prepared: Prepared;
  readonly rows: Tensor;
  readonly spans: Tensor;
  readonly outputs: readonly Output[];
  dispose(): void;
}

const BATCH_TOKENS = 2048;
const IN_FLIGHT = 2; // while one batch runs, the next is prepared and submitted

/** Runs sequences through the encoder and its head, batch by batch; results come in the order of `sequences`. */
export async function encodeAll(
  core: Core,
  sequences: readonly EncoderRow[],
  wanted: Wanted,
  { signal, progress, batch_tokens = BATCH_TOKENS }: EncodeHooks = {},
): Promise<Encoded[]> {
  const results: Encoded[] = [];
  const total = sequences.length;
  let loaded = 0;
  const runBatch = async (batch: readonly number[]): Promise<void> => {
    const rows = batch.map((index) => sequences[index]);
    (await encodeBatch(core, rows, wanted)).forEach((encoded, at) => (results[batch[at]] = encoded));
    loaded += batch.length;
    if (!signal?.aborted) progress?.({ status: "progress", loaded, total });
  };
  const running: Promise<void>[] = [];
  const lengths = sequences.map(({ ids }) => ids.length);
  try {
    for (const batch of batchesOf(lengths, batch_tokens)) {
      signal?.throwIfAborted();
      running.push(runBatch(batch));
      if (running.length >= IN_FLIGHT) await running.shift();
    }
    await Promise.all(running);
    signal?.throwIfAborted();
  } finally {
    await Promise.allSettled(running); // their memory goes back to the pool
  }
  return results;
}

/** Sequences of similar length together: indices, longest first, in batches of at most `budget` tokens (a longer one alone). */
export function batchesOf(lengths: readonly number[], budget: number): number[][] {
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

async function encodeBatch(core: Core, sequences: readonly EncoderRow[], wanted: Wanted): Promise<Encoded[]> {
  const ids = sequences.map((sequence) => sequence.ids);
  const lengths = ids.map(({ length }) => length);
  const N = lengths.reduce((sum, length) => sum + length, 0);
  const size = { N, B: ids.length, T: wanted.attentions ? Math.max(...lengths) : 0 };
  const key = `encode ${Object.values(size)} ${JSON.stringify(wanted)}`;
  const encoding = await core.idle.acquire(key, () => createEncoding(core, size, wanted));
  try {
    const { prepared, rows, spans, outputs } = encoding;
    const segments = sequences.map((sequence) => sequence.segments);
    core.gpu.write(rows, packRows(ids, [], segments));
    core.gpu.write(spans, packSpans(ids));
    const values = (await prepared.run({ read: outputs.map(({ t }) => t) })) as Float32Array[];
    let first = 0;
    return lengths.map((length, b) => {
      const own = outputs.map(({ name, per, t }, index): [string, Float32Array] => {
        const columns = values[index].length / t.shape[0];
        const [from, count] = per === "token" ? [first, length] : [b, 1];
        return [name, values[index].slice(from * columns, (from + count) * columns)];
      });
      first += length;
      return Object.fromEntries(own);
    });
  } finally {
    core.idle.release(key, encoding);
  }
}

async function createEncoding(core: Core, { N, B, T }: BatchSize, wanted: Wanted): Promise<Encoding> {
  const { gpu, architecture: a } = core;
  const { D } = a;
  const { H, depth: L } = a.encoder as Stack;
  const outputs: Output[] = [];
  const output = (name: string, per: Output["per"], columns: readonly number[]): Tensor => {
    const t = tensor(name, "f32", [per === "token" ? N : B, ...columns]);
    outputs.push({ name, per, t });
    return t;
  };
  const each = <T>(count: number, made: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => made(i));
  const states: (Tensor | undefined)[] = wanted.hidden_states
    ? each(L + 1, (l) => output(`hidden_states.${l}`, "token", [D]))
    : each(L + 1, () => undefined);
  if (wanted.last_hidden_state && !states[L]) states[L] = output("last_hidden_state", "token", [D]);
  const attentions = wanted.attentions ? each(L, (l) => output(`attentions.${l}`, "token", [H, T])) : undefined;
  const ofTokens = a.head?.classifier === "tokens";
  const pooled = wanted.pooler_output ? output("pooler_output", "sentence", [D]) : undefined;
  const labels = a.head?.labels.length ?? 0;
  const logits = wanted.logits ? output("logits", ofTokens ? "token" : "sentence", [labels]) : undefined;
  const vectors = wanted.embedding && output("embedding", "sentence", [D]);
  const [rows, spans] = [tensor("rows", "u32", [N, 4]), tensor("spans", "u32", [B, 2])];
  const plan = record("encode", (run) => {
    const hidden = encoder(run, core, { rows, spans }, { states, attentions });
    if (pooled || logits) head(run, core, hidden, spans, { pooled, logits });
    if (vectors && wanted.embedding) {
      sentenceVectors(run, hidden, spans, wanted.embedding, vectors);
    }
  });
  const prepared = await gpu.prepare(plan);
  return {
    prepared,
    rows,
    spans,
    outputs,
    dispose() {
      prepared.dispose();
      gpu.memory.free([rows, spans, ...outputs.map(({ t }) => t)]);
    },
  };
}
