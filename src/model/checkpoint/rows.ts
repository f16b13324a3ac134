import type { Checkpoint } from "./checkpoint.js";
import type { Entry } from "./safetensors.js";

/** How a weight of the model is made from tensors of the checkpoint. */
export interface WeightRow {
  /** Its name in the model. */
  readonly ours: string;
  /** The tensors that it consists of, joined along the first axis; null for a part that is not stored and is zeros. */
  readonly theirs: readonly (string | null)[];
  /** The shape in the model, of which the tensors are equal parts unless `parts` says otherwise. */
  readonly shape: readonly number[];
  /** The shape of each stored tensor, if it does not follow from `shape`, `parts` and `transpose`. */
  readonly stored?: readonly number[];
  /** How many rows each tensor gives, if they are not equal parts. */
  readonly parts?: readonly number[];
  /** The tensors are stored as [I,O] instead of [O,I]. */
  readonly transpose?: boolean;
  /** The rows of the tensors alternate (pairs of a gated layer) instead of following one another. */
  readonly interleave?: boolean;
  /**
   * Computes the weight from its tensors instead of joining them. They come in order and in their stored layout, and
   * must not be changed; there are none when `theirs` is empty.
   */
  readonly derive?: (stored: readonly Float32Array[]) => Float32Array<ArrayBuffer>;
  /** Kept as f32 and in one piece, whatever format is asked for. Vectors always are. */
  readonly f32?: boolean;
  /**
   * Kept as f32 unless the checkpoint stores f16: rounding to f16 costs accuracy here, in what makes attention scores.
   */
  readonly precise?: boolean;
  /** A table that is looked up by token: kept as f16 where linear layers are quantised. */
  readonly lookup?: boolean;
}

/** Names of the stored tensors that a row is made of. */
export const storedNames = ({ theirs }: WeightRow): string[] => theirs.filter((name) => name !== null);

/** How many rows of the weight each of its tensors gives. */
export function partSizes({ theirs, shape, parts }: WeightRow): readonly number[] {
  return parts ?? theirs.map(() => shape[0] / theirs.length);
}

/** The shape that the tensor of a part must have in the checkpoint. */
export function storedShape(row: WeightRow, part: number): readonly number[] {
  const shape = [partSizes(row)[part], ...row.shape.slice(1)];
  return row.stored ?? (row.transpose ? shape.reverse() : shape);
}

/** Whether two rows have the same values, as tied weights do, and so can share memory. */
export function isTied(x: WeightRow, y: WeightRow): boolean {
  const layout = ({ theirs, shape, parts, transpose = false, interleave = false }: WeightRow): string =>
    JSON.stringify([theirs, shape, parts, transpose, interleave]);
  return x.derive === y.derive && x.theirs[0] === y.theirs[0] && layout(x) === layout(y);
}

const FLOATS = new Set(["F32", "F16", "BF16"]);

/**
 * A line for each tensor that is missing, misshapen, mistyped or extra. `ignored` matches those that need not be used.
 */
export function findFaults(
  { entries }: Checkpoint,
  rows: readonly WeightRow[],
  ignored: readonly RegExp[],
): readonly string[] {
  const faults = new Set<string>(); // a set, because a tied tensor occurs in several rows
  for (const row of rows) {
    for (const [part, name] of row.theirs.entries()) {
      const fault = name !== null && findFault(name, storedShape(row, part), entries.get(name));
      if (fault) faults.add(fault);
    }
  }
  const used = new Set(rows.flatMap(storedNames));
  for (const name of entries.keys())
    if (!used.has(name) && !ignored.some((pattern) => pattern.test(name))) faults.add(`extra: ${name}`);
  return [...faults];
}

function findFault(name: string, shape: readonly number[], entry: Entry | undefined): string | undefined {
  if (!entry) return `missing: ${name} [${shape}]`;
  if (entry.shape.join() !== shape.join()) return `misshapen: ${name} must be [${shape}], got [${entry.shape}]`;
  return FLOATS.has(entry.dtype) ? undefined : `mistyped: ${name} must be F32, F16 or BF16, got ${entry.dtype}`;
}
