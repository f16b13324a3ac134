import { InputError } from "../runtime/errors.js";
import { allFinite } from "./finite.js";

/** Token ids as callers give them: rows of equal length with a mask, or plain rows of different lengths. */
export type TokenRows = readonly ArrayLike<number | bigint>[];

/** Token ids of several sequences, without padding. */
export type TokenLists = readonly (readonly number[])[];

/** Token ids, and which of them are padding. */
export interface ModelInputs {
  readonly input_ids: TokenRows;
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

/** One sequence for an encoder: token ids; or features f32[length,D], which replace the token embeddings. */
export type EncoderInput =
  | ({ readonly ids: readonly number[] } & Beside)
  | { readonly features: Float32Array<ArrayBuffer>; readonly length: number };

/** Number of tokens, or of feature rows, in a sequence. */
export const lengthOf = (sequence: readonly number[] | EncoderInput): number =>
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
export function packSpans(sequences: readonly (readonly number[] | EncoderInput)[]): Uint32Array<ArrayBuffer> {
  let first = 0;
  return Uint32Array.from(sequences.map(lengthOf).flatMap((length) => [(first += length) - length, length]));
}

/**
 * A packed batch for an encoder: its arguments `rows` u32[N,4], `spans` u32[B,2] and, for inputs with features,
 * `features` f32[N,D].
 */
export interface PackedInputs {
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly spans: Uint32Array<ArrayBuffer>;
  readonly features?: Float32Array<ArrayBuffer>;
}

/**
 * Packs the inputs of an encoder. Throws InputError when only some of them are features, or when feature rows are not D
 * wide.
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
  if (texts.length > 0)
    throw new InputError(
      `encoder: a batch must be all token ids or all features, got ${texts.length} of ${inputs.length} as ids; run each kind alone`,
    );
  const features = inputs.filter((input) => "features" in input);
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
  const numbers = inputs.map((input, b) => Array.from({ length: lengthOf(input) }, (_, t) => spans[2 * b] + t));
  return { rows: packRows(numbers), spans, features: joined };
}

/** Throws InputError unless the argument `name` has as many rows as the argument `of`, which has `count`. */
export function checkRowCount(name: string, rows: TokenLists, of: string, count: number): void {
  if (rows.length !== count) throw new InputError(`${name}: must have the ${count} rows of ${of}, got ${rows.length}`);
}
