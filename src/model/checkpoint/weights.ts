import { CheckpointError } from "../../runtime/errors.js";
import type { Gpu } from "../../runtime/gpu.js";
import { byteLength, type DType, elements, storage, type Tensor, tensor } from "../../runtime/tensor.js";
import type { Checkpoint, LoadHooks } from "./checkpoint.js";
import { assemble, type Assembly, type Values } from "./conversion.js";
import { findFaults, isTied, storedNames, type WeightRow } from "./rows.js";
import type { Entry } from "./safetensors.js";

/** The values of the option `dtype`. */
export const WEIGHT_FORMATS = ["auto", "f32", "f16", "bf16", "int8", "int4"] as const;

/**
 * Storage of weight matrices: as in the checkpoint ("auto"; bfloat16 becomes f32), converted, or quantised in groups of
 * 32 along the input axis. Vectors are always f32. With int8 and int4, token tables and weights that are tied to them
 * are f16.
 */
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** The weights of a model on the device, by their names in the model. */
export interface Weights {
  /** A weight that must exist and be in one piece. Throws Error when it is not. */
  get(name: string): Tensor;
  /** A weight in one piece; undefined when there is none. Throws Error when it is in several. */
  find(name: string): Tensor | undefined;
  /** The rows of a weight, in as many tensors as the device needs to bind them; empty when there is none. */
  parts(name: string): readonly Tensor[];
  /** All tensors; tied weights share theirs. */
  readonly tensors: ReadonlySet<Tensor>;
}

/** How to load weights. */
export interface WeightOptions extends LoadHooks {
  readonly format: WeightFormat;
  /** Match the tensors of the checkpoint that need not be used. */
  readonly ignored: readonly RegExp[];
}

/** A weight to be loaded; tied rows share one. */
interface Target {
  readonly row: WeightRow;
  readonly tensors: readonly Tensor[];
  /** How many of its stored tensors have not been read yet. */
  left: number;
  assembly?: Assembly;
}

/**
 * Finds all rows in the checkpoint and uploads them. Throws one CheckpointError that lists all missing, extra,
 * misshapen and mistyped tensors before it uploads anything.
 */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  rows: readonly WeightRow[],
  { format, ignored, ...hooks }: WeightOptions,
): Promise<Weights> {
  const faults = findFaults(checkpoint, rows, ignored);
  if (faults.length) {
    throw new CheckpointError(
      `${checkpoint.label}: the weights must fit ${String(checkpoint.config.model_type)}, ${faults.length} do not:\n  ${faults.join("\n  ")}`,
    );
  }
  const { byName, targets } = planTargets(gpu, checkpoint, rows, format);
  const tensors = new Set(targets.flatMap((target) => target.tensors));
  try {
    tensors.forEach(gpu.memory.check);
    await fill(gpu, checkpoint, targets, hooks);
  } catch (error) {
    gpu.memory.free(tensors);
    throw error;
  }
  return createWeights(byName, tensors, gpu.memory.weightLimit);
}

function createWeights(
  byName: ReadonlyMap<string, readonly Tensor[]>,
  tensors: ReadonlySet<Tensor>,
  limit: number,
): Weights {
  const find = (name: string): Tensor | undefined => {
    const parts = byName.get(name);
    if (parts && parts.length > 1)
      throw new Error(`weights: ${name} must fit one binding of ${limit} bytes here, it has ${parts.length} parts`);
    return parts?.[0];
  };
  return {
    tensors,
    find,
    parts: (name) => byName.get(name) ?? [],
    get(name) {
      const found = find(name);
      if (!found) throw new Error(`weights: no row gives ${name}`);
      return found;
    },
  };
}

/** The tensors of each row by its name, and the weights to load. */
function planTargets(
  gpu: Gpu,
  { entries }: Checkpoint,
  rows: readonly WeightRow[],
  format: WeightFormat,
): { byName: Map<string, readonly Tensor[]>; targets: Target[] } {
  const byName = new Map<string, readonly Tensor[]>();
  const targets: Target[] = [];
  for (const row of rows) {
    let target = targets.find((other) => isTied(other.row, row));
    if (!target) {
      const names = storedNames(row);
      const dtype = storageOf(
        row,
        names.map((name) => (entries.get(name) as Entry).dtype),
        format,
      );
      target = { row, tensors: split(row, dtype, gpu.memory.weightLimit), left: names.length };
      targets.push(target);
    }
    byName.set(row.ours, target.tensors);
  }
  return { byName, targets };
}

/** The format of a row whose tensors have these dtypes in the checkpoint. Tied weights have that of the first row. */
function storageOf(row: WeightRow, stored: readonly string[], format: WeightFormat): DType {
  if (row.shape.length < 2 || row.f32 || stored.length === 0) return "f32";
  if (format === "int8" || format === "int4") {
    if (row.lookup || row.shape.length > 2) return "f16";
    return format === "int8" ? "i8" : "i4";
  }
  if (format === "f32") return format;
  if (format !== "auto" && !row.precise) return format;
  const half = format === "auto" ? "f16" : format;
  return stored.every((dtype) => dtype === half.toUpperCase()) ? half : "f32";
}

const PART_ROWS = 8; // the rows of a part are a multiple of this, so that pairs of gated layers stay together

/** One tensor for a weight, or several where it exceeds `limit` bytes; vectors stay in one piece. */
function split(row: WeightRow, dtype: DType, limit: number): Tensor[] {
  const [rows, ...rest] = row.shape;
  const one = byteLength({ shape: [PART_ROWS, ...rest], dtype }) / PART_ROWS;
  const most =
    row.shape.length < 2 || row.f32 || row.theirs.length === 0 || rows * one <= limit
      ? rows
      : Math.max(PART_ROWS, Math.floor(limit / one / PART_ROWS) * PART_ROWS);
  return Array.from({ length: Math.ceil(rows / most) }, (_, part) =>
    tensor(row.ours, dtype, [Math.min(most, rows - part * most), ...rest], "weight"),
  );
}

/** Reads the checkpoint once, in the order of its files, and uploads each weight after its last tensor. */
async function fill(gpu: Gpu, checkpoint: Checkpoint, targets: readonly Target[], hooks: LoadHooks): Promise<void> {
  const uses = new Map<Entry, { target: Target; part: number }[]>();
  for (const target of targets) {
    for (const [part, name] of target.row.theirs.entries()) {
      const entry = name === null ? undefined : checkpoint.entries.get(name);
      if (entry) uses.set(entry, [...(uses.get(entry) ?? []), { target, part }]);
    }
    if (target.left === 0) upload(gpu, target.tensors, assemblyOf(target).whole());
  }
  await checkpoint.read(
    uses.keys(),
    (entry, bytes) => {
      for (const { target, part } of uses.get(entry) ?? []) {
        const assembly = (target.assembly ??= assemblyOf(target));
        assembly.add(part, entry.dtype, bytes);
        if (--target.left > 0) continue;
        target.assembly = undefined;
        upload(gpu, target.tensors, assembly.whole());
      }
    },
    hooks,
  );
}

const assemblyOf = ({ row, tensors: [{ dtype }] }: Target): Assembly =>
  assemble(row, dtype === "f16" || dtype === "bf16" ? dtype : "f32");

function upload(gpu: Gpu, tensors: readonly Tensor[], whole: Values): void {
  let at = 0;
  for (const t of tensors) {
    const values = whole.subarray(at, (at += elements(t)));
    gpu.write(t, storage(t.dtype).quantise?.(values as Float32Array, t.shape[t.shape.length - 1]) ?? values);
  }
}
