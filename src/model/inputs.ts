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

/** What a model reads, and what of it is padding. */
export interface ModelInputs {
  /** Token ids; speech models read `input_features` or `input_values` instead. */
  readonly input_ids?: TokenRows;
  /** Whisper: log-mel spectra f32[B,C,frames], as its feature extractor gives them, of all frames that it reads. */
  readonly input_features?: SignalRows;
  /** Models that hear the waveform itself: samples f32[B,frames], or rows of different lengths. */
  readonly input_values?: SignalRows;
  /**
   * 1 for a token, 0 for padding on the left or on the right of a row; encoders and `generate()` of decoder-only models
   * also take 0 between tokens. Default: all 1.
   */
  readonly attention_mask?: TokenRows;
}

/** What may stand beside each token of a sequence. */
export interface Beside {
  /** Segments, where the model has any. Default: all 0. */
  readonly segments?: readonly number[];
  /** Positions. Default: they count from 0. */
  readonly positions?: readonly number[];
}

/** Frames of a signal that is on the device: rows of a tensor f32[S,C] from row `first` on. */
export interface DeviceSignal {
  readonly tensor: Tensor;
  readonly first: number;
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
  | { readonly features: Float32Array<ArrayBuffer>; readonly length: number }
  | SignalInput;

/** Number of tokens, or of feature rows, of a sequence. */
export const lengthOf = (sequence: { readonly length: number } | EncoderInput): number =>
  "ids" in sequence ? sequence.ids.length : sequence.length;

/** The length of the longest of several lists, of which there may be too many for the arguments of a call. */
export const longest = (lists: readonly { readonly length: number }[]): number =>
  lists.reduce((most, { length }) => Math.max(most, length), 0);

/** The sum of the lengths of several sequences. */
export const totalLength = (sequences: readonly (readonly number[] | EncoderInput)[]): number =>
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
export function packSpans(
  sequences: readonly ({ readonly length: number } | EncoderInput)[],
): Uint32Array<ArrayBuffer> {
  let first = 0;
  return Uint32Array.from(sequences.map(lengthOf).flatMap((length) => [(first += length) - length, length]));
}

/**
 * A packed batch for an encoder: its arguments `rows` u32[N,4], `spans` u32[B,2] and, for inputs with features,
 * `features` f32[N,D], or the signals of which a stem makes them.
 */
export interface PackedInputs {
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly spans: Uint32Array<ArrayBuffer>;
  readonly features?: Float32Array<ArrayBuffer>;
  readonly signals?: readonly SignalInput[];
}

/**
 * Packs the inputs of an encoder. Throws InputError when they are of several kinds, when feature rows are not D wide,
 * and for features that are not finite.
 */
export function packInputs(inputs: readonly EncoderInput[], D: number): PackedInputs {
  const spans = packSpans(inputs);
  const texts = inputs.filter((input) => "ids" in input);
  if (texts.length === inputs.length) {
    const rows = packRows(
      texts.map(({ ids }) => ids),
      [],
      texts,
    );
    return { rows, spans };
  }
  const features = inputs.filter((input) => "features" in input);
  const signals = inputs.filter((input) => "signal" in input);
  if (Math.max(features.length, signals.length) < inputs.length) {
    const [two, count, kind] = texts.length
      ? ["token ids or all features", texts.length, "ids"]
      : ["features or all signals", features.length, "features"];
    throw new InputError(
      `encoder: a batch must be all ${two}, got ${count} of ${inputs.length} as ${kind}; run each kind alone`,
    );
  }
  const numbers = inputs.map((input, b) => Array.from({ length: lengthOf(input) }, (_, t) => spans[2 * b] + t));
  const rows = packRows(numbers);
  if (signals.length) return { rows, spans, signals };
  const odd = features.findIndex((input) => input.features.length !== input.length * D);
  if (odd >= 0)
    throw new InputError(
      `encoder: features must be length*D numbers with D=${D}, sequence ${odd} has ${features[odd].features.length} for length ${features[odd].length}`,
    );
  const broken = features.findIndex((input) => !allFinite(input.features));
  if (broken >= 0)
    throw new InputError(`encoder: features must be finite, sequence ${broken} has others; leave it out or mend it`);
  const joined = new Float32Array(totalLength(inputs) * D);
  features.forEach((input, b) => joined.set(input.features, spans[2 * b] * D));
  return { rows, spans, features: joined };
}

/** Throws InputError unless the argument `name` has as many rows as the argument `of`, which has `count`. */
export function checkRowCount(name: string, rows: TokenLists, of: string, count: number): void {
  if (rows.length !== count) throw new InputError(`${name}: must have the ${count} rows of ${of}, got ${rows.length}`);
}
