import { InputError, show } from "../runtime/errors.js";
import type { HostTensor } from "./core.js";

/** Token ids by row: rows of one length with a mask, or plain rows of different lengths. */
export type TokenRows = readonly ArrayLike<number | bigint>[];

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
export const lengthOf = (input: EncoderInput): number => ("ids" in input ? input.ids.length : input.length);

/** Rows of the packed batch: their ids without padding, and where in the caller's row each sequence starts. */
export interface Sequences {
  readonly ids: readonly (readonly number[])[];
  readonly offsets: readonly number[];
  /** The ids that the caller has under the padding before each sequence, where they are one token of the vocabulary. */
  readonly pads: readonly (readonly number[])[];
  /** Length of the caller's rows. */
  readonly width: number;
}

/** Checks the segments of token rows and strips their padding; nothing when the caller gave none. Throws InputError. */
export function readSegments(
  rows: unknown,
  { ids, offsets, width }: Sequences,
  segments: number | undefined,
): (readonly number[])[] | undefined {
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
  sequences: readonly (readonly number[])[],
  past: readonly number[] = [],
  segments: readonly (readonly number[] | undefined)[] = [],
): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(
    sequences.flatMap((ids, b) => ids.flatMap((id, t) => [id, (past[b] ?? 0) + t, b, segments[b]?.[t] ?? 0])),
  );
}

/** The argument `spans`: (first row, number of rows) of every sentence. */
export function packSpans(sequences: readonly (readonly number[])[]): Uint32Array<ArrayBuffer> {
  let first = 0;
  return Uint32Array.from(sequences.flatMap(({ length }) => [(first += length) - length, length]));
}

/** Packed rows of `columns` back at their places in [B, width, columns]: zeros where the caller had padding. */
export function unpack(packed: Float32Array, { ids, offsets, width }: Sequences, columns: number): HostTensor {
  const data = new Float32Array(ids.length * width * columns);
  let first = 0;
  ids.forEach(({ length }, b) => {
    data.set(packed.subarray(first * columns, (first + length) * columns), (b * width + offsets[b]) * columns);
    first += length;
  });
  return { dims: [ids.length, width, columns], data };
}

/** Throws InputError unless positions count a row's own tokens from 0, as ours do. */
export function checkPositions(positions: TokenRows | undefined, { ids, offsets }: Sequences): void {
  if (positions === undefined) return;
  ids.forEach((row, b) => {
    const bad = row.findIndex((_, t) => Number(positions[b]?.[offsets[b] + t]) !== t);
    if (bad >= 0)
      throw new InputError(
        `position_ids: must count a row's own tokens from 0, row ${b} has ${positions[b]?.[offsets[b] + bad]} for token ${bad}; leave them out`,
      );
  });
}
