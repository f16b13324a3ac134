import { OptionError } from "../../runtime/errors.js";
import type { Architecture, Stack } from "../graph/architecture.js";
import type { Core, HostTensor } from "../core.js";
import { readSegments, type Sequences, type TokenRows } from "../inputs.js";
import { type EncodeHooks, encodeAll } from "./batches.js";
import type { Encoded, Wanted } from "./prepared_batch.js";

/** What an encoder gives, named as in Transformers: B sequences, S the width of the caller's rows, zeros at padding. */
export interface EncoderOutput {
  /** The last states f32[B,S,D]. `encode()` always gives them, `forward()` only for models without a classifier. */
  readonly last_hidden_state?: HostTensor;
  /** The first state of each sequence through the pooler, f32[B,D]. */
  readonly pooler_output?: HostTensor;
  /** The logits of a classifier, f32[B,S,labels] or f32[B,labels]. */
  readonly logits?: HostTensor;
  /** States f32[B,S,D] after the embeddings and after each layer. */
  readonly hidden_states?: readonly HostTensor[];
  /** Attention weights f32[B,H,S,S] of each layer: query, then key. */
  readonly attentions?: readonly HostTensor[];
}

/** Options of `encode()`, and of `forward()` without a decoder. */
export interface EncoderOptions extends EncodeHooks {
  /** Also return the states after the embeddings and after each layer. Default false. */
  readonly output_hidden_states?: boolean;
  /** Also return attention weights, which take one more launch a layer. Default false. */
  readonly output_attentions?: boolean;
}

const OPTIONS = ["output_hidden_states", "output_attentions", "signal", "progress", "batch_tokens"];

/** Throws OptionError for options that are unknown or out of range. */
export function checkEncoderOptions(call: string, options: EncoderOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown) throw new OptionError(`${call}: options must be among ${OPTIONS.join(", ")}, got ${unknown}`);
  const { batch_tokens = 1 } = options;
  if (!Number.isInteger(batch_tokens) || batch_tokens < 1)
    throw new OptionError(`${call}: batch_tokens must be a whole number of at least 1, got ${batch_tokens}`);
}

/**
 * What `forward()` returns by default: the logits of a classifier, or else the last states and the output of a pooler.
 */
export function ownOutputs({ head }: Architecture): Wanted {
  if (head?.classifier) return { logits: true };
  return { last_hidden_state: true, pooler_output: head?.pooler !== undefined };
}

/** Encodes token rows and arranges the results like them, padding included. */
export async function encodeRows(
  core: Core,
  rows: Sequences,
  token_type_ids: TokenRows | undefined,
  wanted: Wanted,
  { output_hidden_states = false, output_attentions = false, ...hooks }: EncoderOptions,
): Promise<EncoderOutput> {
  const segments = readSegments(token_type_ids, rows, core.architecture.encoder?.segments);
  const inputs = rows.ids.map((ids, b) => ({ ids, segments: segments?.[b] }));
  const all = { ...wanted, hidden_states: output_hidden_states, attentions: output_attentions };
  return layOut(core.architecture, rows, all, await encodeAll(core, inputs, all, hooks));
}

function layOut(
  architecture: Architecture,
  rows: Sequences,
  wanted: Wanted,
  encoded: readonly Encoded[],
): EncoderOutput {
  const { depth: L, H } = architecture.encoder as Stack;
  const tokens = (name: string): HostTensor => byToken(encoded, name, rows);
  const sequences = (name: string): HostTensor => bySequence(encoded, name);
  const states = wanted.hidden_states
    ? Array.from({ length: L + 1 }, (_, l) => tokens(`hidden_states.${l}`))
    : undefined;
  const attentions = wanted.attentions
    ? Array.from({ length: L }, (_, l) => attentionSquares(encoded, `attentions.${l}`, rows, H))
    : undefined;
  return {
    ...(wanted.last_hidden_state && { last_hidden_state: states?.[L] ?? tokens("last_hidden_state") }),
    ...(wanted.pooler_output && { pooler_output: sequences("pooler_output") }),
    ...(wanted.logits && { logits: (architecture.head?.classifier === "tokens" ? tokens : sequences)("logits") }),
    ...(states && { hidden_states: states }),
    ...(attentions && { attentions }),
  };
}

/** Arranges a result with a row for each token as [B,S,columns]. */
function byToken(encoded: readonly Encoded[], name: string, { ids, offsets, width }: Sequences): HostTensor {
  const columns = encoded[0][name].length / ids[0].length;
  const data = new Float32Array(ids.length * width * columns);
  encoded.forEach((own, b) => data.set(own[name], (b * width + offsets[b]) * columns));
  return { dims: [ids.length, width, columns], data };
}

/** Arranges a result with a row for each sequence as [B,columns]. */
function bySequence(encoded: readonly Encoded[], name: string): HostTensor {
  const columns = encoded[0][name].length;
  const data = new Float32Array(encoded.length * columns);
  encoded.forEach((own, b) => data.set(own[name], b * columns));
  return { dims: [encoded.length, columns], data };
}

/**
 * Arranges attention weights [query,head,key] (with as many keys as the longest sequence of the batch) as [B,H,S,S].
 */
function attentionSquares(encoded: readonly Encoded[], name: string, rows: Sequences, H: number): HostTensor {
  const { ids, offsets, width: S } = rows;
  const data = new Float32Array(ids.length * H * S * S);
  encoded.forEach((own, b) => {
    const count = ids[b].length;
    const T = own[name].length / count / H;
    for (let q = 0; q < count; q++) {
      for (let h = 0; h < H; h++) {
        const weights = own[name].subarray((q * H + h) * T, (q * H + h) * T + count);
        data.set(weights, ((b * H + h) * S + offsets[b] + q) * S + offsets[b]);
      }
    }
  });
  return { dims: [ids.length, H, S, S], data };
}
