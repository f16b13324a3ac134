import { CheckpointError } from "../runtime/errors.js";
import type { Gpu } from "../runtime/gpu.js";
import { fromBF16, fromF16, toF16 } from "../runtime/half.js";
import { byteLength, type DType, elements, type Tensor, tensor } from "../runtime/tensor.js";
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
  readonly compute?: () => Float32Array<ArrayBuffer>;
}

/** Storage of weight matrices: as the checkpoint has them (bfloat16 widens to f32), or converted. Vectors are always f32. */
export type WeightFormat = "auto" | "f32" | "f16";

/** The weights of a model by our names. */
export interface Weights {
  get(name: string): Tensor;
  find(name: string): Tensor | undefined;
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
      `${checkpoint.label}: the weights must fit ${checkpoint.config.model_type}, ${faults.length} do not:\n  ${faults.join("\n  ")}`,
    );
  }
  const byName = new Map<string, Tensor>();
  const byContent = new Map<string, Tensor>(); // rows made of the same tensors (tied weights) share memory
  const parts = new Map<Entry, { target: Tensor; row: WeightRow; part: number }[]>();
  try {
    for (const row of rows) {
      const found = row.theirs.map((name) => checkpoint.entries.get(name) as Entry);
      const key = row.theirs.join("\n") || row.ours;
      const known = byContent.get(key) ?? tensor(row.ours, storage(row, found, format), row.shape, "weight");
      byName.set(row.ours, known);
      if (byContent.has(key)) continue;
      byContent.set(key, known);
      gpu.memory.check(known);
      if (row.compute) gpu.write(known, row.compute());
      found.forEach((entry, part) => parts.set(entry, [...(parts.get(entry) ?? []), { target: known, row, part }]));
    }
    const pending = new Map<Tensor, { data: Uint8Array<ArrayBuffer>; left: number }>();
    await checkpoint.read(
      parts.keys(),
      (entry, bytes) => {
        for (const { target, row, part } of parts.get(entry) ?? []) {
          const whole = pending.get(target) ?? { data: new Uint8Array(byteLength(target)), left: row.theirs.length };
          place(whole.data, convert(entry, bytes, target.dtype), row, part, target.dtype === "f16" ? 2 : 4);
          pending.set(target, whole);
          if (--whole.left > 0) continue;
          gpu.write(target, whole.data);
          pending.delete(target);
        }
      },
      hooks,
    );
  } catch (error) {
    gpu.memory.free(byContent.values());
    throw error;
  }
  return {
    tensors: new Set(byContent.values()),
    find: (name) => byName.get(name),
    get(name) {
      const found = byName.get(name);
      if (!found) throw new Error(`weights: no row gives ${name}`);
      return found;
    },
  };
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
  if (format !== "auto") return format;
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
