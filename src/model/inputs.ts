import { InputError } from "../runtime/errors.js";
import type { Tensor } from "../runtime/tensor.js";
import type { HostTensor } from "./core.js";
import { allFinite } from "./finite.js";

/** Token ids as callers give them: rows of equal length with a mask, or plain rows of different lengths. */
export type TokenRows = readonly ArrayLike<number | bigint>[];

/** Token ids of several sequences, without padding. */
export type TokenLists = readonly (readonly number[])[];

/** A batch of signals as callers give it: a tensor, lists of lists, or what is on the device already. */
export type SignalRows = HostTensor | DeviceSignal | readonly unknown[];

/** Rows of vectors as callers give them: f32[B,S,width], or a list for each row with a list for each place. */
export type VectorRows = HostTensor | readonly (readonly ArrayLike<number>[])[];

/** What an encoder gave, as `encode()` returns it; of hidden states and attentions nothing is read. */
export interface EncoderOutputs {
  /** f32[B,S,width], the width that the cross attention of the decoder takes: that of the model unless it says so. */
  readonly last_hidden_state: VectorRows;
  /** 1 for a state that the decoder sees, 0 for padding, wherever it stands. Default: all 1. */
  readonly attention_mask?: TokenRows;
}

/** What a model reads, and what of it is padding. */
export interface ModelInputs {
  /** Token ids; speech models read `input_features` or `input_values` instead. */
  readonly input_ids?: TokenRows;
  /** Whisper: log-mel spectra f32[B,C,frames], as its feature extractor gives them, of all frames that it reads. */
  readonly input_features?: SignalRows;
  /** Models that hear the waveform itself: samples f32[B,frames], or rows of different lengths. */
  readonly input_values?: SignalRows;
  /**
   * f32[B,S,D] in place of the embeddings of tokens. They are not scaled; positions, segments and norms come on top as
   * for tokens.
   */
  readonly inputs_embeds?: VectorRows;
  /**
   * 1 for a token, 0 for padding on the left or on the right of a row; encoders and `generate()` of decoder-only models
   * also take 0 between tokens. Default: all 1.
   */
  readonly attention_mask?: TokenRows;
}

/** What an encoder-decoder reads: what its encoder takes, or the output of an encoder, which then does not run. */
export interface SourceInputs extends ModelInputs {
  /** What `encode()` gave, in place of the sources. */
  readonly encoder_outputs?: EncoderOutputs;
}

/** What may stand beside each token of a sequence. */
export interface Beside {
  /** Segments, where the model has any. Default: all 0. */
  readonly segments?: readonly number[];
  /** Positions. Default: they count from 0. */
  readonly positions?: readonly number[];
  /** Which of its tokens are pooled, (first, number) of each result. Default: all of them, to one result. */
  readonly pooled?: readonly (readonly [first: number, count: number])[];
}

/** Frames of a signal that is on the device: rows of a tensor f32[S,C] from row `first` on. */
export interface DeviceSignal {
  /** Frames f32[S,C] on the device. */
  readonly tensor: Tensor;
  /** Its first row. */
  readonly first: number;
  /** How many rows it has. */
  readonly frames: number;
}

/** A signal, which the stem of a speech model turns into the rows of its encoder. */
export interface SignalInput {
  /** f32[frames,C]. */
  readonly signal: Float32Array<ArrayBuffer> | DeviceSignal;
  readonly frames: number;
  /** Rows that the stem makes of it (`stemLengths`). */
  readonly length: number;
}

/** One sequence for an encoder: token ids; features f32[length,D], which replace the token embeddings; or a signal. */
export type EncoderInput =
  | ({ readonly ids: readonly number[] } & Beside)
  | ({ readonly features: Float32Array<ArrayBuffer>; readonly length: number } & Beside)
  | SignalInput;

/** What a decoder attends to: one sequence for its encoder, or the output of an encoder, f32[length,width]. */
export type Source = EncoderInput | { readonly states: Float32Array<ArrayBuffer>; readonly length: number };

/** Number of tokens, of feature rows or of states of a sequence. */
export const lengthOf = (sequence: { readonly length: number } | Source): number =>
  "ids" in sequence ? sequence.ids.length : sequence.length;

/** The length of the longest of several lists, of which there may be too many for the arguments of a call. */
export const longest = (lists: readonly { readonly length: number }[]): number =>
  lists.reduce((most, { length }) => Math.max(most, length), 0);

/** The sum of the lengths of several sequences. */
export const totalLength = (sequences: readonly (readonly number[] | Source)[]): number =>
  sequences.reduce((sum, sequence) => sum + lengthOf(sequence), 0);

/**
 * The argument `rows` u32[N,4] of the kernels: token id, position, sentence, and segment, for every token of a packed
 * batch. Positions count on from the number of `past` tokens.
 */
export function packRows(
  sequences: TokenLists,
  past: readonly number[] = [],
  beside: readonly Beside[] = [],
): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(4 * totalLength(sequences));
  let at = 0;
  sequences.forEach((ids, b) => {
    const { segments, positions } = beside[b] ?? {};
    ids.forEach((id, t) => {
      rows.set([id, positions?.[t] ?? (past[b] ?? 0) + t, b, segments?.[t] ?? 0], at);
      at += 4;
    });
  });
  return rows;
}

/** The argument `spans` u32[B,2] of the kernels: first row and number of rows of each sentence. */
export function packSpans(sequences: readonly ({ readonly length: number } | Source)[]): Uint32Array<ArrayBuffer> {
  let first = 0;
  return Uint32Array.from(sequences.map(lengthOf).flatMap((length) => [(first += length) - length, length]));
}

/** The tokens that are pooled to each result, (first, number) in the packed rows of all sequences. */
export function packPooled(inputs: readonly Source[]): Uint32Array<ArrayBuffer> {
  const spans = packSpans(inputs);
  return Uint32Array.from(
    inputs.flatMap((input, b) => pooledOf(input).flatMap(([first, count]) => [spans[2 * b] + first, count])),
  );
}

/** The tokens that are pooled to each result of a sequence. */
export const pooledOf = (input: Source): NonNullable<Beside["pooled"]> =>
  ("pooled" in input ? input.pooled : undefined) ?? [[0, lengthOf(input)]];

const KINDS = ["ids", "features", "signals", "states"] as const;

/** What the sequences of a batch are. */
export type InputKind = (typeof KINDS)[number];

/**
 * A packed batch of N rows: the arguments `rows` u32[N,4] and `spans` u32[B,2], and `vectors` f32[N,width] of features
 * and states, or the signals of which a stem makes features.
 */
export interface PackedInputs {
  readonly kind: InputKind;
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly spans: Uint32Array<ArrayBuffer>;
  readonly width: number;
  readonly vectors?: Float32Array<ArrayBuffer>;
  readonly signals?: readonly SignalInput[];
}

const kindOf = (input: Source): InputKind =>
  "ids" in input ? "ids" : "signal" in input ? "signals" : "features" in input ? "features" : "states";

/**
 * Packs the inputs of an encoder, whose features are D wide, or its output, states of the width `memory`. Throws
 * InputError when they are of several kinds, and for vectors of another width or that are not finite.
 */
export function packInputs(inputs: readonly Source[], D: number, memory = D): PackedInputs {
  const spans = packSpans(inputs);
  const kinds = inputs.map(kindOf);
  const [kind, other] = KINDS.filter((one) => kinds.includes(one));
  if (other) {
    const count = kinds.filter((one) => one === kind).length;
    throw new InputError(
      `encoder: a batch must be all ${kind === "ids" ? "token ids" : kind} or all ${other}, got ${count} of ${inputs.length} as ${kind}; run each kind alone`,
    );
  }
  const width = kind === "states" ? memory : D;
  const numbers = inputs.map((input, b) =>
    "ids" in input ? input.ids : Array.from({ length: input.length }, (_, t) => spans[2 * b] + t),
  );
  const beside = inputs.map((input) => ("segments" in input || "positions" in input ? input : {}));
  const packed = { kind, rows: packRows(numbers, [], beside), spans, width };
  if (kind === "ids") return packed;
  if (kind === "signals") return { ...packed, signals: inputs as readonly SignalInput[] };
  const vectors = new Float32Array(totalLength(inputs) * width);
  inputs.forEach((input, b) => vectors.set(vectorsOf(input, kind, b, width), spans[2 * b] * width));
  return { ...packed, vectors };
}

/** The features or states of sequence b. */
function vectorsOf(input: Source, kind: InputKind, b: number, width: number): Float32Array {
  const values = "features" in input ? input.features : "states" in input ? input.states : new Float32Array();
  if (values.length !== lengthOf(input) * width)
    throw new InputError(
      `encoder: ${kind} must be length*D numbers with D=${width}, sequence ${b} has ${values.length} for length ${lengthOf(input)}`,
    );
  if (!allFinite(values))
    throw new InputError(`encoder: ${kind} must be finite, sequence ${b} has others; leave it out or mend it`);
  return values;
}

/** Throws InputError unless the argument `name` has as many rows as the argument `of`, which has `count`. */
export function checkRowCount(name: string, rows: TokenLists, of: string, count: number): void {
  if (rows.length !== count) throw new InputError(`${name}: must have the ${count} rows of ${of}, got ${rows.length}`);
}
