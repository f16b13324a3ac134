import type { Checkpoint } from "./checkpoint.js";
import type { Entry } from "./safetensors.js";

/** How a weight of the model comes from tensors of the checkpoint. */
export interface WeightRow {
  readonly ours: string;
  /** Its tensors in the checkpoint, laid one after the other along the first axis; null where a part is zeros and not stored. */
  readonly theirs: readonly (string | null)[];
  /** The shape of ours; theirs must be equal parts of it. */
  readonly shape: readonly number[];
  /** The shape of each of theirs, where it is not that. */
  readonly stored?: readonly number[];
  /** Rows of ours that each of theirs gives, where they are not equal parts. */
  readonly parts?: readonly number[];
  /** Theirs is [I,O] where ours is [O,I]. */
  readonly transpose?: boolean;
  /** Rows of the parts alternate (gated pairs) instead of lying one after the other. */
  readonly interleave?: boolean;
  /**
   * Makes ours of theirs, given in their order and in the layout of the checkpoint, which must stay as they are; of nothing
   * when `theirs` is empty. Replaces laying them one after the other.
   */
  readonly derive?: (stored: readonly Float32Array[]) => Float32Array<ArrayBuffer>;
  /** Always stored as f32 and in one piece, whatever format is asked for; vectors are f32 anyway. */
  readonly f32?: boolean;
  /** f16 costs accuracy here (what makes the scores of attention): f32, unless the checkpoint stores f16. */
  readonly precise?: boolean;
  /** A table whose rows are looked up by token: f16 where linear layers are quantised. */
  readonly lookup?: boolean;
}

/** Tensors of the checkpoint that a row is made of. */
export const storedNames = ({ theirs }: WeightRow): string[] => theirs.filter((name) => name !== null);

/** Rows of ours that each of theirs gives. */
export function partSizes({ theirs, shape, parts }: WeightRow): readonly number[] {
  return parts ?? theirs.map(() => shape[0] / theirs.length);
}

/** The shape that a part must have in the checkpoint. */
export function storedShape(row: WeightRow, part: number): readonly number[] {
  const shape = [partSizes(row)[part], ...row.shape.slice(1)];
  return row.stored ?? (row.transpose ? shape.reverse() : shape);
}

/** Whether two rows have the same values, as those of tied weights do: they can share memory. */
export function isTied(x: WeightRow, y: WeightRow): boolean {
  const layout = ({ theirs, shape, parts, transpose = false, interleave = false }: WeightRow): string =>
    JSON.stringify([theirs, shape, parts, transpose, interleave]);
  return x.derive === y.derive && x.theirs[0] === y.theirs[0] && layout(x) === layout(y);
}

const FLOATS = new Set(["F32", "F16", "BF16"]);

/** Every missing, misshapen, mistyped and extra tensor, a line each. `ignored` names those that may be there without use. */
export function findFaults(
  { entries }: Checkpoint,
  rows: readonly WeightRow[],
  ignored: readonly RegExp[],
): readonly string[] {
  const faults = new Set<string>(); // a tied tensor serves several rows
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
