import { CALLBACK, checkOptions, FLAG, SIGNAL, wholeNumber } from "../../runtime/checks.js";
import type { Sources } from "../sources.js";
import type { Architecture, Stack } from "../graph/architecture.js";
import type { Core, HostTensor } from "../core.js";
import { byHead, bySequence, byToken, type SequenceResults } from "../results.js";
import type { Sequences } from "../sequences.js";
import { type EncodeHooks, encodeAll } from "./batches.js";
import type { Wanted } from "./prepared_batch.js";

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

/** The options of encoding that all calls have, and their rules. */
const ENCODE_HOOKS = { signal: SIGNAL, progress: CALLBACK, batch_tokens: wholeNumber(1) };

const OPTIONS = { output_hidden_states: FLAG, output_attentions: FLAG, ...ENCODE_HOOKS };

/** Throws OptionError for options that are unknown or out of range. */
export const checkEncoderOptions = (call: string, options: EncoderOptions): void =>
  checkOptions(call, options, OPTIONS);

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
  { rows, sources }: Sources,
  wanted: Wanted,
  { output_hidden_states = false, output_attentions = false, ...hooks }: EncoderOptions,
): Promise<EncoderOutput> {
  const all = { ...wanted, hidden_states: output_hidden_states, attentions: output_attentions };
  return layOut(core.architecture, rows, all, await encodeAll(core, sources, all, hooks));
}

function layOut(
  architecture: Architecture,
  rows: Sequences,
  wanted: Wanted,
  encoded: readonly SequenceResults[],
): EncoderOutput {
  const { depth: L, H } = (architecture.encoder ?? architecture.decoder) as Stack;
  const tokens = (name: string): HostTensor => byToken(encoded, name, rows);
  const sequences = (name: string): HostTensor => bySequence(encoded, name);
  const states = wanted.hidden_states
    ? Array.from({ length: L + 1 }, (_, l) => tokens(`hidden_states.${l}`))
    : undefined;
  const attentions = wanted.attentions
    ? Array.from({ length: L }, (_, l) => byHead(encoded, `attentions.${l}`, rows, rows, H))
    : undefined;
  return {
    ...(wanted.last_hidden_state && { last_hidden_state: states?.[L] ?? tokens("last_hidden_state") }),
    ...(wanted.pooler_output && { pooler_output: sequences("pooler_output") }),
    ...(wanted.logits && { logits: (architecture.head?.classifier === "sentence" ? sequences : tokens)("logits") }),
    ...(states && { hidden_states: states }),
    ...(attentions && { attentions }),
  };
}
