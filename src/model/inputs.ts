import { InputError, show } from "../runtime/errors.js";
import type { HostTensor } from "./core.js";

/** Token ids by row, as callers give them: rows of one length with a mask, or plain rows of different lengths. */
export type TokenRows = readonly ArrayLike<number | bigint>[];

/** Token ids of several sequences, checked and without padding. */
export type TokenLists = readonly (readonly number[])[];

/** Token ids and which of them are padding. */
export interface ModelInputs {
  readonly input_ids: TokenRows;
  /** 1 for a token, 0 for padding, on the left or on the right; all ones when absent. */
  readonly attention_mask?: TokenRows;
}

/**
 * One sequence for an encoder: token ids, with the segment of each where the model has segments; or feature rows f32[length,D] that
 * take the place of token embeddings.
 */
export type EncoderInput =
  | { readonly ids: readonly number[]; readonly segments?: readonly number[] }
  | { readonly features: Float32Array<ArrayBuffer>; readonly length: number };

/** Rows of a sequence. */
export const lengthOf = (sequence: readonly number[] | EncoderInput): number =>
  "ids" in sequence ? sequence.ids.length : sequence.length;

/** Rows of all sequences together. */
export const totalLength = (sequences: readonly (readonly number[] | EncoderInput)[]): number =>
  sequences.reduce((sum, sequence) => sum + lengthOf(sequence), 0);

/** Rows of the packed batch: their ids without padding, and where in the caller's row each sequence starts. */
export interface Sequences {
  readonly ids: TokenLists;
  readonly offsets: readonly number[];
  /** The ids that the caller has under the padding before each sequence, where they are one token of the vocabulary. */
  readonly pads: TokenLists;
  /** Length of the caller's rows. */
  readonly width: number;
}

/** Checks the segments of token rows and strips their padding; nothing when the caller gave none. Throws InputError. */
export function readSegments(
  rows: unknown,
  { ids, offsets, width }: Sequences,
  segments: number | undefined,
): TokenLists | undefined {
  if (rows === undefined) return undefined;
  if (!isRows(rows) || rows.length !== ids.length)
    throw new InputError(
      `token_type_ids: must have the ${ids.length} rows of input_ids, got ${isRows(rows) ? rows.length : show(rows)}`,
    );
  return ids.map(({ length }, b) => {
    const own = Array.from({ length }, (_, t) => Number(rows[b][offsets[b] + t]));
    const bad = own.findIndex((segment) => !Number.isInteger(segment) || segment < 0 || segment >= (segments ?? 1));
    if (bad < 0) return own;
    throw new InputError(
      `token_type_ids: must be whole numbers from 0 to ${(segments ?? 1) - 1} in rows of ${width}, got ${show(rows[b][offsets[b] + bad])} in row ${b}`,
    );
  });
}

/**
 * Checks token rows and strips their padding. `V` vocabulary, `P` most tokens a row. Throws InputError naming row and position:
 * an empty batch or row, ids that are not whole or outside the vocabulary, rows too long, masks with holes or of another shape.
 */
export function readSequences(name: string, rows: unknown, masks: unknown, V: number, P: number): Sequences {
  if (!isRows(rows)) throw new InputError(`${name}: must be a list of lists of token ids, got ${show(rows)}`);
  if (rows.length === 0) throw new InputError(`${name}: must hold at least one row, got an empty batch`);
  if (masks !== undefined && (!isRows(masks) || masks.length !== rows.length)) {
    throw new InputError(
      `attention_mask: must have the ${rows.length} rows of ${name}, got ${isRows(masks) ? masks.length : show(masks)}`,
    );
  }
  const stripped = rows.map((row, r) => stripRow(name, r, row, masks?.[r]));
  stripped.forEach(({ ids, offset }, r) => {
    if (ids.length === 0) throw new InputError(`${name}: row ${r} must hold at least one token, got none`);
    if (ids.length > P)
      throw new InputError(
        `${name}: row ${r} must have at most ${P} tokens (max_position_embeddings), got ${ids.length}; split or shorten it`,
      );
    const bad = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= V);
    if (bad >= 0)
      throw new InputError(
        `${name}: ids must be whole numbers from 0 to ${V - 1}, got ${show(rows[r][offset + bad])} in row ${r}`,
      );
  });
  return {
    ids: stripped.map(({ ids }) => ids),
    offsets: stripped.map(({ offset }) => offset),
    pads: stripped.map(({ offset }, r) => padsBefore(rows[r], offset, V)),
    width: Math.max(...rows.map((row) => row.length)),
  };
}

function padsBefore(row: ArrayLike<number | bigint>, count: number, V: number): number[] {
  const pads = Array.from({ length: count }, (_, t) => Number(row[t]));
  const isToken = pads.every((id) => id === pads[0]) && Number.isInteger(pads[0]) && pads[0] >= 0 && pads[0] < V;
  return isToken ? pads : [];
}

function isRows(value: unknown): value is TokenRows {
  return (
    Array.isArray(value) &&
    value.every((row) => Array.isArray(row) || (ArrayBuffer.isView(row) && !(row instanceof DataView)))
  );
}

function stripRow(
  name: string,
  r: number,
  row: ArrayLike<number | bigint>,
  mask: ArrayLike<number | bigint> | undefined,
): { ids: number[]; offset: number } {
  const ids = Array.from(row, (value) =>
    typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN,
  );
  if (!mask) return { ids, offset: 0 };
  if (mask.length !== ids.length)
    throw new InputError(`attention_mask: row ${r} must have the ${ids.length} entries of ${name}, got ${mask.length}`);
  const bits = Array.from(mask, Number);
  if (bits.some((bit) => bit !== 0 && bit !== 1))
    throw new InputError(
      `attention_mask: must hold 0 and 1, got ${bits.find((bit) => bit !== 0 && bit !== 1)} in row ${r}`,
    );
  const offset = Math.max(0, bits.indexOf(1));
  const end = bits.lastIndexOf(1) + 1;
  const hole = bits.indexOf(0, offset);
  if (hole >= 0 && hole < end)
    throw new InputError(`attention_mask: a row's padding must lie at one end or both, row ${r} has a hole at ${hole}`);
  return { ids: ids.slice(offset, end), offset };
}

/**
 * The argument `rows` of the kernels: (token id, position, sentence, parent or segment) for every token of a packed batch, after
 * `past` tokens.
 */
export function packRows(
  sequences: TokenLists,
  past: readonly number[] = [],
  segments: readonly (readonly number[] | undefined)[] = [],
): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(
    sequences.flatMap((ids, b) => ids.flatMap((id, t) => [id, (past[b] ?? 0) + t, b, segments[b]?.[t] ?? 0])),
  );
}

/** The argument `spans`: (first row, number of rows) of every sentence. */
export function packSpans(sequences: readonly (readonly number[] | EncoderInput)[]): Uint32Array<ArrayBuffer> {
  let first = 0;
  return Uint32Array.from(sequences.map(lengthOf).flatMap((length) => [(first += length) - length, length]));
}

/** A packed batch of an encoder: the arguments `rows` u32[N,4], `spans` u32[B,2] and, in place of token embeddings, `features` f32[N,D]. */
export interface PackedInputs {
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly spans: Uint32Array<ArrayBuffer>;
  readonly features?: Float32Array<ArrayBuffer>;
}

/** Packs the inputs of an encoder. Throws InputError when some are ids and others features, or when feature rows are not D wide. */
export function packInputs(inputs: readonly EncoderInput[], D: number): PackedInputs {
  const spans = packSpans(inputs);
  const texts = inputs.filter((input) => "ids" in input);
  if (texts.length === inputs.length) {
    const segments = texts.map((input) => input.segments);
    return {
      rows: packRows(
        texts.map(({ ids }) => ids),
        [],
        segments,
      ),
      spans,
    };
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
  const joined = new Float32Array(totalLength(inputs) * D);
  features.forEach((input, b) => joined.set(input.features, spans[2 * b] * D));
  const numbers = inputs.map((input, b) => Array.from({ length: lengthOf(input) }, (_, t) => spans[2 * b] + t));
  return { rows: packRows(numbers), spans, features: joined };
}

/** Throws InputError unless `name` has the rows of `of`. */
export function checkRowCount(name: string, rows: TokenLists, of: string, count: number): void {
  if (rows.length !== count) throw new InputError(`${name}: must have the ${count} rows of ${of}, got ${rows.length}`);
}

/** Packed rows of `columns` back at their places in [B, width, columns]: zeros where the caller had padding. */
export function unpack(
  packed: Float32Array,
  { ids, offsets, width }: Omit<Sequences, "pads">,
  columns: number,
): HostTensor {
  const data = new Float32Array(ids.length * width * columns);
  let first = 0;
  ids.forEach(({ length }, b) => {
    data.set(packed.subarray(first * columns, (first + length) * columns), (b * width + offsets[b]) * columns);
    first += length;
  });
  return { dims: [ids.length, width, columns], data };
}
