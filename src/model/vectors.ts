import { InputError, show } from "../runtime/errors.js";
import type { HostTensor } from "./core.js";
import { allFinite } from "./finite.js";
import { asRows, readNumber } from "./lists.js";
import { readSequences, type RowLimits, type Sequences } from "./sequences.js";

/** Rows of vectors without what their masks leave out. */
export interface VectorSequences extends Sequences {
  /** The vectors of each row, one after the other. */
  readonly vectors: readonly Float32Array<ArrayBuffer>[];
}

/**
 * Checks rows of vectors `width` wide and strips what their masks leave out, which may hold anything. Throws InputError
 * as `readSequences` does, for another shape, and for numbers that are not finite.
 */
export function readVectors(
  name: string,
  given: unknown,
  masks: unknown,
  width: number,
  limits: Omit<RowLimits, "V" | "pad">,
): VectorSequences {
  const rows = isTensor(given) ? tensorRows(name, given, width) : listRows(name, given, width);
  const places = rows.map(({ length }) => new Uint8Array(length / width)); // read as rows of the only token 0
  const sequences = readSequences(name, places, masks, { ...limits, V: 1 });
  const vectors = rows.map((row, b) => {
    const own = sequences.columns[b];
    const kept = new Float32Array(own.length * width);
    own.forEach((column, t) => kept.set(row.subarray(column * width, (column + 1) * width), t * width));
    if (allFinite(kept)) return kept;
    throw new InputError(`${name}: must be finite, row ${b} has other values; mend it, or leave it out by its mask`);
  });
  return { ...sequences, vectors };
}

const isTensor = (given: unknown): given is HostTensor =>
  typeof given === "object" && given !== null && "dims" in given && "data" in given;

/** The values of a list of numbers as f32; NaN for what is no number. Throws InputError for the bits of half precision. */
function floats(name: string, values: ArrayLike<unknown>): Float32Array {
  if (values instanceof Uint16Array)
    throw new InputError(`${name}: must hold numbers, got a Uint16Array, as of f16's bits; make a Float32Array of it`);
  return values instanceof Float32Array ? values : Float32Array.from(values, readNumber);
}

const refuse = (name: string, width: number, got: string): InputError =>
  new InputError(
    `${name}: must be { dims: [B,S,${width}], data }, or rows of lists of ${width} numbers (the width that the model reads), got ${got}`,
  );

/** The values of each row of a tensor. */
function tensorRows(name: string, { dims, data }: HostTensor, width: number): Float32Array[] {
  const [values] = asRows([data]) ?? [];
  const [B, S, own] = asRows([dims])?.[0].length === 3 ? dims : [];
  const whole = [B, S].every((size) => Number.isInteger(size) && size >= 0);
  if (!whole || own !== width || !values || values.length !== B * S * width)
    throw refuse(name, width, `dims ${show(dims)} and ${values ? `${values.length} numbers` : show(data)}`);
  const all = floats(name, values);
  return Array.from({ length: B }, (_, b) => all.subarray(b * S * width, (b + 1) * S * width));
}

/** The values of each row of lists of lists. */
function listRows(name: string, given: unknown, width: number): Float32Array[] {
  if (!Array.isArray(given)) throw refuse(name, width, show(given));
  return given.map((row: unknown, b) => {
    const vectors = asRows(row);
    const odd = vectors?.find(({ length }) => length !== width);
    if (!vectors || odd) throw refuse(name, width, `${odd ? `a list of ${odd.length}` : show(row)} in row ${b}`);
    const values = new Float32Array(vectors.length * width);
    vectors.forEach((vector, t) => values.set(floats(name, vector), t * width));
    return values;
  });
}
