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
  gpu: Gpu, checkpoint: Checkpoint, rows: readonly WeightRow[], ignored: readonly RegExp[], format: WeightFormat, hooks: LoadHooks,
): Promise<Weights> {
  const faults = findFaults(checkpoint, rows, ignored);
  if (faults.length) {
    throw new CheckpointError(`${checkpoint.label}: the weights must fit ${checkpoint.config.model_type}, ${faults.length} do not:\n  ${faults.join("\n  ")}`);
  }
  const byName = new Map<string, Tensor>();
  const byContent = new Map<string, Tensor>(); // rows made of the same tensors (tied weights) share memory
  const parts = new Map<Entry, { target: Tensor; part: number }[]>();
  for (const row of rows) {
    const found = row.theirs.map((name) => checkpoint.entries.get(name) as Entry);
    const key = row.theirs.join("\n") || row.ours;
    const known = byContent.get(key) ?? tensor(row.ours, storage(row, found, format), row.shape, "weight");
    byName.set(row.ours, known);
    if (byContent.has(key)) continue;
    byContent.set(key, known);
    gpu.memory.check(known);
    if (row.compute) gpu.write(known, row.compute());
    found.forEach((entry, part) => parts.set(entry, [...(parts.get(entry) ?? []), { target: known, part }]));
  }
  const pending = new Map<Tensor, { data: Uint8Array<ArrayBuffer>; left: number }>();
  await checkpoint.read(parts.keys(), (entry, bytes) => {
    for (const { target, part } of parts.get(entry) ?? []) {
      const pieces = Math.round(elements(target) / elements(entry));
      const whole = pending.get(target) ?? { data: new Uint8Array(byteLength(target)), left: pieces };
      const piece = convert(entry, bytes, target.dtype);
      whole.data.set(piece, part * piece.length);
      pending.set(target, whole);
      if (--whole.left > 0) continue;
      gpu.write(target, whole.data);
      pending.delete(target);
    }
  }, hooks);
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
    const shape = row.stored ?? [row.shape[0] / Math.max(1, row.theirs.length), ...row.shape.slice(1)];
    for (const name of row.theirs) {
      used.add(name);
      const entry = entries.get(name);
      if (!entry) faults.push(`missing: ${name} [${shape}]`);
      else if (entry.shape.join() !== shape.join()) faults.push(`misshapen: ${name} must be [${shape}], got [${entry.shape}]`);
      else if (!FLOATS.has(entry.dtype)) faults.push(`mistyped: ${name} must be F32, F16 or BF16, got ${entry.dtype}`);
    }
  }
  for (const name of entries.keys()) {
    if (!used.has(name) && !ignored.some((pattern) => pattern.test(name))) faults.push(`extra: ${name}`);
  }
  return faults;
}

function storage(row: WeightRow, found: readonly Entry[], format: WeightFormat): DType {
  if (row.shape.length < 2 || row.compute) return "f32";
  if (format !== "auto") return format;
  return found.every(({ dtype }) => dtype === "F16") ? "f16" : "f32";
}

function convert({ dtype }: Entry, bytes: Uint8Array<ArrayBuffer>, to: DType): Uint8Array<ArrayBuffer> {
  if ((dtype === "F32" && to === "f32") || (dtype === "F16" && to === "f16")) return bytes;
  const { buffer } = new Uint8Array(bytes); // a copy, aligned
  const values = dtype === "F32" ? new Float32Array(buffer) : Float32Array.from(new Uint16Array(buffer), dtype === "F16" ? fromF16 : fromBF16);
  return new Uint8Array(to === "f32" ? values.buffer : Uint16Array.from(values, toF16).buffer);
}
