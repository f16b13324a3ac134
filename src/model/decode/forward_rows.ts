import type { ForwardInputs } from "../arguments.js";
import type { DecoderCore, HostTensor } from "../core.js";
import type { EncoderOutput } from "../encode/outputs.js";
import type { Stack } from "../graph/architecture.js";
import { checkRowCount } from "../inputs.js";
import { byHead, byToken, type Places, type SequenceResults } from "../results.js";
import { readAttended, readPrompts, readTargets } from "../sources.js";
import { forward } from "./forward.js";

/**
 * What `forward()` gives, named as in Transformers: B sequences, T and S the widths of the caller's targets and sources,
 * zeros at padding. A decoder-only model gives its own states and attentions under the names of `EncoderOutput`.
 */
export interface ForwardOutput extends EncoderOutput {
  /** Of an encoder-decoder: f32[B,S,D], or the `encoder_outputs` that were given. */
  readonly encoder_last_hidden_state?: HostTensor;
  /** States f32[B,S,D] after the embeddings and after each layer. */
  readonly encoder_hidden_states?: readonly HostTensor[];
  /** The same of the targets, f32[B,T,D]. */
  readonly decoder_hidden_states?: readonly HostTensor[];
  /** Attention weights f32[B,H,S,S] of each layer: query, then key. */
  readonly encoder_attentions?: readonly HostTensor[];
  /** The same of the targets, f32[B,H,T,T]. */
  readonly decoder_attentions?: readonly HostTensor[];
  /** The same of targets over sources, f32[B,H,T,S]. */
  readonly cross_attentions?: readonly HostTensor[];
}

/** What else `forward()` of a model with a decoder can return. */
export interface ForwardOptions {
  readonly output_hidden_states?: boolean;
  readonly output_attentions?: boolean;
}

/** One pass over the caller's rows. Throws InputError. */
export async function forwardRows(
  core: DecoderCore,
  inputs: ForwardInputs,
  { output_hidden_states: hidden_states = false, output_attentions: attentions = false }: ForwardOptions,
): Promise<ForwardOutput> {
  const { architecture } = core;
  const { encoder, decoder } = architecture;
  const wanted = { logits: true, last_hidden_state: true, hidden_states, attentions };
  if (!encoder) {
    const rows = readPrompts(architecture, inputs);
    const { targets } = await forward(core, { targets: rows.ids, vectors: rows.vectors }, wanted);
    return { logits: byToken(targets, "logits", rows), ...observed(targets, rows, decoder, wanted) };
  }
  const { rows, sources } = readAttended(architecture, inputs);
  const read = readTargets(architecture, inputs);
  checkRowCount("decoder_input_ids", read.ids, "the sources", sources.length);
  const heads = Array.from({ length: attentions ? decoder.depth : 0 }, () => [...Array(decoder.H).keys()]);
  const results = await forward(core, { targets: read.ids, sources }, { ...wanted, heads });
  const given = sources.flatMap((source) => ("states" in source ? { last_hidden_state: source.states } : []));
  const own = given.length ? {} : observed(results.sources, rows, encoder, wanted);
  return {
    logits: byToken(results.targets, "logits", read),
    encoder_last_hidden_state:
      own.hidden_states?.[encoder.depth] ?? byToken(given.length ? given : results.sources, "last_hidden_state", rows),
    ...prefixed("encoder", own),
    ...prefixed("decoder", observed(results.targets, read, decoder, wanted)),
    ...(attentions && {
      cross_attentions: heads.map((_, l) => byHead(results.targets, `cross_attentions.${l}`, read, rows, decoder.H)),
    }),
  };
}

type Observations = Pick<EncoderOutput, "hidden_states" | "attentions">;

/** What a stack computed on the way. */
function observed(
  results: readonly SequenceResults[],
  rows: Places,
  { depth, H, lastFactor = 1 }: Stack,
  wanted: Record<keyof Observations, boolean>,
): Observations {
  const state = (l: number): HostTensor => {
    const { dims, data } = byToken(results, `hidden_states.${l}`, rows);
    return { dims, data: l === depth && lastFactor !== 1 ? data.map((value) => value / lastFactor) : data };
  };
  return {
    ...(wanted.hidden_states && { hidden_states: Array.from({ length: depth + 1 }, (_, l) => state(l)) }),
    ...(wanted.attentions && {
      attentions: Array.from({ length: depth }, (_, l) => byHead(results, `attentions.${l}`, rows, rows, H)),
    }),
  };
}

/** The same under the names of one side of an encoder-decoder. */
const prefixed = (side: "encoder" | "decoder", observations: Observations): ForwardOutput =>
  Object.fromEntries(Object.entries(observations).map(([name, value]) => [`${side}_${name}`, value]));
