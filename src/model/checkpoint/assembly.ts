import { elements } from "../../runtime/tensor.js";
import { convert, type Words } from "./conversion.js";
import { partSizes, storedShape, type WeightRow } from "./rows.js";

/** Takes blocks of numbers, in f32 or in the format `dtype` of the checkpoint, for a weight from element `at` on. */
export type Sink = (dtype: string, words: Words, at: number) => void;

/** Puts a weight together from its stored parts, which come in blocks. */
export interface Assembly {
  /** Adds numbers of a stored part from its element `at` on. They must not be kept: their memory is used again. */
  add(part: number, dtype: string, words: Words, at: number): void;
  /** Hands over what has not been handed over yet; called once, after all parts. */
  finish(): void;
}

/**
 * Begins a weight whose parts have these dtypes in the checkpoint. Parts that lie in the weight as they are stored go
 * to the sink as they come; others are put together here, in the stored format if it is the same for all.
 */
export function assemble(row: WeightRow, dtypes: readonly string[], sink: Sink): Assembly {
  if (row.derive) return assembleDerived(row, row.derive, sink);
  const sizes = partSizes(row);
  const width = elements(row) / row.shape[0];
  const starts = sizes.map((_, part) => sizes.slice(0, part).reduce((sum, size) => sum + size, 0) * width);
  const straight = !row.transpose && (!row.interleave || sizes.length === 1);
  // Writes of 16-bit numbers must begin at an even one.
  if (straight && starts.every((start) => start % 2 === 0))
    return { add: (part, dtype, words, at) => sink(dtype, words, starts[part] + at), finish: () => {} };
  const common = dtypes.every((dtype) => dtype === dtypes[0]) ? dtypes[0] : "F32";
  let whole: Words | undefined;
  return {
    add(part, dtype, words, at) {
      whole ??= new (common === "F32" ? Float32Array : Uint16Array)(elements(row));
      const values = common === dtype ? words : convert(dtype, words, "f32");
      if (straight) whole.set(values, starts[part] + at);
      else if (row.transpose) layColumns(whole, values, row, part, at);
      else layRows(whole, values, { parts: sizes.length, part, width, at });
    },
    finish() {
      if (whole) sink(common, whole, 0);
      whole = undefined; // its memory is needed for the next one
    },
  };
}

function assembleDerived(row: WeightRow, derive: NonNullable<WeightRow["derive"]>, sink: Sink): Assembly {
  const sizes = row.theirs.map((_, part) => elements({ shape: storedShape(row, part) }));
  let stored: Float32Array[] | undefined;
  const parts = (): Float32Array[] => (stored ??= sizes.map((size) => new Float32Array(size)));
  return {
    add: (part, dtype, words, at) => parts()[part].set(convert(dtype, words, "f32"), at),
    finish() {
      const values = derive(parts());
      stored = undefined;
      if (values.length !== elements(row))
        throw new Error(
          `weights: ${row.ours} [${row.shape}] must be derived with ${elements(row)} values, got ${values.length}`,
        );
      sink("F32", values, 0);
    },
  };
}

interface Place {
  readonly parts: number;
  readonly part: number;
  readonly width: number;
  /** The first element in the part. */
  readonly at: number;
}

/** Copies rows of a part to their places in turn with those of the other parts. */
function layRows(whole: Words, values: Words, { parts, part, width, at }: Place): void {
  const first = at / width;
  for (let r = 0; r < values.length / width; r++)
    whole.set(values.subarray(r * width, (r + 1) * width), ((first + r) * parts + part) * width);
}

const COLUMNS = 16; // stored rows at a time, which are columns here: so many neighbours are written together

/** Transposes stored rows [I,O] to columns of a part. */
function layColumns(whole: Words, values: Words, row: WeightRow, part: number, at: number): void {
  const sizes = partSizes(row);
  const [O, I] = [sizes[part], whole.length / row.shape[0]];
  const before = sizes.slice(0, part).reduce((sum, size) => sum + size, 0);
  const [step, base] = row.interleave ? [sizes.length, part] : [1, before];
  const first = at / O;
  for (let begin = 0; begin < values.length / O; begin += COLUMNS) {
    const end = Math.min(begin + COLUMNS, values.length / O);
    for (let o = 0; o < O; o++) {
      const to = (base + o * step) * I + first;
      for (let i = begin; i < end; i++) whole[to + i] = values[i * O + o];
    }
  }
}
