import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { encoderOutputs } from "../encode/prepared_batch.js";
import type { ObservedDecoder } from "../graph/decoder.js";
import type { Observed } from "../graph/encoder.js";
import { lengthOf, longest, type Source, type TokenLists, totalLength } from "../inputs.js";
import type { Output } from "../results.js";

/** What one pass reads. */
export interface ForwardJob {
  /** What the decoder is fed. */
  readonly targets: TokenLists;
  /** What it attends to, in models with an encoder. */
  readonly sources?: readonly Source[];
  /** The source of each target. Default: that of its own number. */
  readonly sourceOf?: readonly number[];
  /** f32[N,D]: what ids of the targets from V on stand for. */
  readonly vectors?: Float32Array<ArrayBuffer>;
}

/** Which results of a pass to read. */
export interface ForwardWanted {
  /** `logits` of the targets. */
  readonly logits?: boolean;
  /** `last_hidden_state` of the encoder. */
  readonly last_hidden_state?: boolean;
  /** `hidden_states.0` after the embeddings, and others after each layer, in both stacks. */
  readonly hidden_states?: boolean;
  /** Weights of self attention, `attentions.0` and so on, in both stacks. */
  readonly attentions?: boolean;
  /** Weights of cross attention, `cross_attentions.0` and so on: in each layer those of the heads in its list. */
  readonly heads?: readonly (readonly number[])[];
}

/** Results, and where the graph writes them. */
type Outputs<O> = O & { readonly all: readonly Output[] };

/** Results of the encoder; none where sources are its output. */
export function sourceOutputs(
  { architecture }: DecoderCore,
  sources: readonly Source[],
  wanted: ForwardWanted,
): Outputs<Observed> {
  if (!architecture.encoder || sources.some((source) => "states" in source)) return { all: [] };
  const { last_hidden_state, hidden_states, attentions } = wanted;
  const [N, B, T] = [totalLength(sources), sources.length, longestOf(sources)];
  return encoderOutputs(architecture, { N, B, T }, { last_hidden_state, hidden_states, attentions });
}

const longestOf = (sequences: TokenLists | readonly Source[]): number =>
  sequences.reduce((most, sequence) => Math.max(most, lengthOf(sequence)), 0);

/** Results of the decoder, and where the graph writes them. */
export interface TargetOutputs extends Outputs<Pick<ObservedDecoder, "states">> {
  readonly logits: Tensor | undefined;
  readonly attentions: readonly Tensor[];
  readonly crossAttentions: readonly (Tensor | undefined)[];
}

/** Results of the decoder. */
export function targetOutputs(
  { architecture: { D, V, decoder } }: DecoderCore,
  { targets, sources = [] }: ForwardJob,
  { logits, hidden_states, attentions, heads = [] }: ForwardWanted,
): TargetOutputs {
  const { depth, H } = decoder;
  const all: Output[] = [];
  const add = (name: string, ...columns: number[]): Tensor => {
    const data = tensor(name, "f32", [totalLength(targets), ...columns]);
    all.push({ per: "token", data });
    return data;
  };
  const layers = <T>(count: number, build: (l: number) => T): T[] => Array.from({ length: count }, (_, l) => build(l));
  const [T, S] = [longest(targets), longestOf(sources)];
  return {
    all,
    logits: logits ? add("logits", V) : undefined,
    states: hidden_states ? layers(depth + 1, (l) => add(`hidden_states.${l}`, D)) : [],
    attentions: attentions ? layers(depth, (l) => add(`attentions.${l}`, H, T)) : [],
    crossAttentions: heads.map((own, l) => (own.length ? add(`cross_attentions.${l}`, own.length, S) : undefined)),
  };
}
