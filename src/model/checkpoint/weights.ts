import { CheckpointError } from "../../runtime/errors.js";
import type { Gpu } from "../../runtime/gpu.js";
import { fromBF16, fromF16, toF16 } from "../../runtime/half.js";
import { GROUP, quantise } from "../../runtime/quant.js";
import { byteLength, type DType, elements, type Tensor, tensor } from "../../runtime/tensor.js";
import type { Checkpoint, LoadHooks } from "./checkpoint.js";
import type { Entry } from "./safetensors.js";

/** How a weight of the model comes from tensors of the checkpoint. */
export interface WeightRow {
  readonly ours: string;
  /** Its tensors in the checkpoint, laid one after the other along the first axis; none when `compute` makes it. */
  readonly theirs: readonly string[];
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
  /** Stored as f32 whatever the checkpoint has, as vectors are. */
  readonly f32?: boolean;
  /** Rounding to f16 is felt, as in what makes the scores of attention: f16 only where the checkpoint has it, else f32. */
  readonly precise?: boolean;
  /** Rows are looked up by token: stored as f16 where linear layers are quantised. */
  readonly lookup?: boolean;
  readonly compute?: () => Float32Array<ArrayBuffer>;
}

export const WEIGHT_FORMATS = ["auto", "f32", "f16", "int8", "int4"] as const;

/**
 * Storage of weight matrices: as the checkpoint has them (bfloat16 widens to f32), converted, or quantised in groups of 32 along
 * the input axis. Vectors are always f32; token tables, what is tied to them, and inputs that are no multiple of 32 are f16 at least.
 */
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** The weights of a model by our names. */
export interface Weights {
  /** Throws when there is none. */
  get(name: string): Tensor;
  find(name: string): Tensor | undefined;
  /** The rows of a weight in as many tensors as the device needs to bind them; empty when there is none. */
  parts(name: string): readonly Tensor[];
  readonly tensors: ReadonlySet<Tensor>;
}

const FLOATS = new Set(["F32", "F16", "BF16"]);

/**
 * Finds every row in the checkpoint and uploads it. `ignored` names tensors that may be present without use.
 * Throws one CheckpointError that lists every missing, extra, misshapen and mistyped tensor, before anything is uploaded.
 */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  rows: readonly WeightRow[],
  ignored: readonly RegExp[],
  format: WeightFormat,
  hooks: LoadHooks,
): Promise<Weights> {
  const faults = findFaults(checkpoint, rows, ignored);
  if (faults.length) {
    throw new CheckpointError(
      `${checkpoint.label}: the weights must fit ${String(checkpoint.config.model_type)}, ${faults.length} do not:\n  ${faults.join("\n  ")}`,
    );
  }
  const byName = new Map<string, readonly Tensor[]>();
  const byContent = new Map<string, readonly Tensor[]>(); // rows made of the same tensors (tied weights) share memory
  const uses = new Map<Entry, { target: Target; part: number }[]>();
  try {
    for (const row of rows) {
      const found = row.theirs.map((name) => checkpoint.entries.get(name) as Entry);
      const key = row.theirs.join("\n") || row.ours;
      const known = byContent.get(key);
      const tensors = known ?? split(row, storage(row, found, format), gpu.memory.weightLimit);
      byName.set(row.ours, tensors);
      if (known) continue;
      byContent.set(key, tensors);
      tensors.forEach(gpu.memory.check);
      const target = { row, tensors, left: row.theirs.length };
      if (row.compute) upload(gpu, target, new Uint8Array(row.compute().buffer));
      found.forEach((entry, part) => uses.set(entry, [...(uses.get(entry) ?? []), { target, part }]));
    }
    await checkpoint.read(
      uses.keys(),
      (entry, bytes) => {
        for (const { target, part } of uses.get(entry) ?? []) {
          const { row, tensors } = target;
          const format = assembled(tensors);
          target.whole ??= new Uint8Array(byteLength({ shape: row.shape, dtype: format }));
          place(target.whole, convert(entry, bytes, format), row, part, format === "f16" ? 2 : 4);
          if (--target.left > 0) continue;
          upload(gpu, target, target.whole);
          target.whole = undefined;
        }
      },
      hooks,
    );
  } catch (error) {
    gpu.memory.free([...byContent.values()].flat());
    throw error;
  }
  const find = (name: string): Tensor | undefined => {
    const parts = byName.get(name);
    if (parts && parts.length > 1)
      throw new Error(
        `weights: ${name} must fit one binding of ${gpu.memory.weightLimit} bytes here, it has ${parts.length} parts`,
      );
    return parts?.[0];
  };
  return {
    tensors: new Set([...byContent.values()].flat()),
    find,
    parts: (name) => byName.get(name) ?? [],
    get(name) {
      const found = find(name);
      if (!found) throw new Error(`weights: no row gives ${name}`);
      return found;
    },
  };
}

/** A weight being put together from tensors of the checkpoint, of which `left` are still to come. */
interface Target {
  readonly row: WeightRow;
  readonly tensors: readonly Tensor[];
  left: number;
  whole?: Uint8Array<ArrayBuffer>;
}

const PART_ROWS = 8; // parts have a multiple of as many rows: pairs of gated layers stay together

/** One tensor for a weight, or as many as the limit of a binding needs. */
function split(row: WeightRow, dtype: DType, limit: number): Tensor[] {
  const [rows, ...rest] = row.shape;
  const one = byteLength({ shape: [PART_ROWS, ...rest], dtype }) / PART_ROWS;
  const most =
    row.shape.length < 2 || row.f32 || row.compute || rows * one <= limit
      ? rows
      : Math.max(PART_ROWS, Math.floor(limit / one / PART_ROWS) * PART_ROWS);
  return Array.from({ length: Math.ceil(rows / most) }, (_, part) =>
    tensor(row.ours, dtype, [Math.min(most, rows - part * most), ...rest], "weight"),
  );
}

/** The format in which a weight is put together: quantising needs whole groups. */
const assembled = ([{ dtype }]: readonly Tensor[]): DType => (dtype === "i8" || dtype === "i4" ? "f32" : dtype);

function upload(gpu: Gpu, { tensors }: Target, whole: Uint8Array<ArrayBuffer>): void {
  let at = 0;
  for (const t of tensors) {
    const bytes = whole.subarray(at, (at += elements(t) * (assembled(tensors) === "f16" ? 2 : 4)));
    if (t.dtype === "i8" || t.dtype === "i4") gpu.write(t, quantise(t.dtype, new Float32Array(bytes.slice().buffer)));
    else gpu.write(t, bytes);
  }
}

function findFaults({ entries }: Checkpoint, rows: readonly WeightRow[], ignored: readonly RegExp[]): string[] {
  const faults: string[] = [];
  const used = new Set<string>();
  for (const row of rows) {
    for (const [part, name] of row.theirs.entries()) {
      const size = [partSizes(row)[part], ...row.shape.slice(1)];
      const shape = row.stored ?? (row.transpose ? size.reverse() : size);
      used.add(name);
      const entry = entries.get(name);
      if (!entry) faults.push(`missing: ${name} [${shape}]`);
      else if (entry.shape.join() !== shape.join())
        faults.push(`misshapen: ${name} must be [${shape}], got [${entry.shape}]`);
      else if (!FLOATS.has(entry.dtype)) faults.push(`mistyped: ${name} must be F32, F16 or BF16, got ${entry.dtype}`);
    }
  }
  for (const name of entries.keys()) {
    if (!used.has(name) && !ignored.some((pattern) => pattern.test(name))) faults.push(`extra: ${name}`);
  }
  return [...new Set(faults)]; // a tied tensor serves several rows
}

/** Rows of ours that each of theirs gives. */
function partSizes({ theirs, shape, parts }: WeightRow): readonly number[] {
  return parts ?? theirs.map(() => shape[0] / theirs.length);
}

/** Lays one part, its values `bytes` wide, at its place in the whole. */
function place(
  whole: Uint8Array<ArrayBuffer>,
  values: Uint8Array<ArrayBuffer>,
  row: WeightRow,
  part: number,
  bytes: number,
): void {
  const sizes = partSizes(row);
  const stride = (elements(row) / row.shape[0]) * bytes;
  const first = sizes.slice(0, part).reduce((sum, size) => sum + size, 0);
  const rows = row.transpose ? transposed(values, stride / bytes, sizes[part], bytes) : values;
  if (!row.interleave) return whole.set(rows, first * stride);
  for (let r = 0; r < sizes[part]; r++)
    whole.set(rows.subarray(r * stride, (r + 1) * stride), (r * sizes.length + part) * stride);
}

/** [I,O] as [O,I]. */
function transposed(values: Uint8Array<ArrayBuffer>, I: number, O: number, bytes: number): Uint8Array<ArrayBuffer> {
  const { buffer } = new Uint8Array(values); // a copy, aligned
  const [from, to] =
    bytes === 2 ? [new Uint16Array(buffer), new Uint16Array(I * O)] : [new Uint32Array(buffer), new Uint32Array(I * O)];
  for (let i = 0; i < I; i++) for (let o = 0; o < O; o++) to[o * I + i] = from[i * O + o];
  return new Uint8Array(to.buffer);
}

function storage(row: WeightRow, found: readonly Entry[], format: WeightFormat): DType {
  if (row.shape.length < 2 || row.compute || row.f32) return "f32";
  if (format === "int8" || format === "int4") {
    if (row.lookup || row.shape.length > 2 || row.shape[1] % GROUP) return "f16";
    return format === "int8" ? "i8" : "i4";
  }
  if (format === "f32" || (format === "f16" && !row.precise)) return format;
  return found.every(({ dtype }) => dtype === "F16") ? "f16" : "f32";
}

function convert({ dtype }: Entry, bytes: Uint8Array<ArrayBuffer>, to: DType): Uint8Array<ArrayBuffer> {
  if ((dtype === "F32" && to === "f32") || (dtype === "F16" && to === "f16")) return bytes;
  const { buffer } = new Uint8Array(bytes); // a copy, aligned
  const values =
    dtype === "F32"
      ? new Float32Array(buffer)
      : Float32Array.from(new Uint16Array(buffer), dtype === "F16" ? fromF16 : fromBF16);
  return new Uint8Array(to === "f32" ? values.buffer : Uint16Array.from(values, toF16).buffer);
}
