import { CheckpointError, DeviceError, OptionError } from "../../runtime/errors.js";
import type { Gpu } from "../../runtime/gpu.js";
import { byteLength, type DType, elements, storage, type Tensor, tensor } from "../../runtime/tensor.js";
import type { Checkpoint, LoadHooks } from "./checkpoint.js";
import { assemble, type Assembly, type Sink } from "./assembly.js";
import { checkNumbers, convert, type FloatFormat, view, type Words } from "./conversion.js";
import { fitRows, isTied, storedNames, type WeightRow } from "./rows.js";
import type { Entry } from "./safetensors.js";
import type { LogitsFormat, WeightFormat } from "./weight_formats.js";

/** The weights of a model on the device, by their names in the model. */
export interface Weights {
  /** A weight that must exist and be in one piece. Throws Error when there is none, DeviceError when it is in several. */
  get(name: string): Tensor;
  /** A weight in one piece; undefined when there is none. Throws DeviceError when it is in several. */
  find(name: string): Tensor | undefined;
  /** The rows of a weight, in as many tensors as the device needs to bind them; empty when there is none. */
  parts(name: string): readonly Tensor[];
  /** All tensors; tied weights share theirs. */
  readonly tensors: ReadonlySet<Tensor>;
  /** Names of tensors in the checkpoint that the model does not use: buffers, and heads for other tasks. */
  readonly unused: readonly string[];
}

/** How to load weights. */
export interface WeightOptions extends LoadHooks {
  readonly format: WeightFormat;
  /** Storage of the matrix that makes logits, apart from all else. */
  readonly logits?: LogitsFormat;
  /** Match the tensors of the checkpoint that need not be used. */
  readonly ignored: readonly RegExp[];
}

/** A weight to be loaded; tied rows share one. */
export interface Target {
  readonly row: WeightRow;
  readonly tensors: readonly Tensor[];
  /** The dtypes of its stored tensors. */
  readonly stored: readonly string[];
  /** Whether tied rows may share it. */
  readonly shared: boolean;
}

/** Finds all rows in the checkpoint and uploads them. Throws as `planWeights` does, before it uploads anything. */
export async function loadWeights(
  gpu: Gpu,
  checkpoint: Checkpoint,
  rows: readonly WeightRow[],
  { format, logits, ignored, ...hooks }: WeightOptions,
): Promise<Weights> {
  const { weights, targets } = planWeights(checkpoint, rows, { format, logits, ignored }, gpu.memory.weightLimit);
  try {
    weights.tensors.forEach(gpu.memory.check);
    await fill(gpu, checkpoint, targets, hooks);
  } catch (error) {
    gpu.memory.free(weights.tensors);
    throw error;
  }
  return weights;
}

/**
 * The weights as they will be on a device, split where they exceed `limit` bytes, and what to load into them. Throws one
 * CheckpointError that lists all missing, extra, misshapen and mistyped tensors.
 */
export function planWeights(
  checkpoint: Checkpoint,
  rows: readonly WeightRow[],
  { format, logits, ignored }: Pick<WeightOptions, "format" | "logits" | "ignored">,
  limit: number,
): { readonly weights: Weights; readonly targets: readonly Target[] } {
  const { faults, count, unused } = fitRows(checkpoint, rows, ignored);
  if (count) {
    throw new CheckpointError(
      `${checkpoint.label}: the weights must fit ${String(checkpoint.config.model_type)}, ${count} do not:\n  ${faults.join("\n  ")}`,
    );
  }
  if (logits && !rows.some(isLogits))
    throw new OptionError(
      `lm_head_dtype: must be absent for ${String(checkpoint.config.model_type)}, which has no lm_head here`,
    );
  const { byName, targets } = planTargets(checkpoint, rows, { format, logits }, limit);
  const tensors = new Set(targets.flatMap((target) => target.tensors));
  return { weights: { ...createWeights(byName, tensors, limit), unused }, targets };
}

function createWeights(
  byName: ReadonlyMap<string, readonly Tensor[]>,
  tensors: ReadonlySet<Tensor>,
  limit: number,
): Omit<Weights, "unused"> {
  const find = (name: string): Tensor | undefined => {
    const parts = byName.get(name);
    if (parts && parts.length > 1)
      throw new DeviceError(
        `weights: ${name} must fit one binding of ${limit} bytes here, it has ${parts.length} parts`,
      );
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
  { entries }: Checkpoint,
  rows: readonly WeightRow[],
  { format, logits }: Pick<WeightOptions, "format" | "logits">,
  limit: number,
): { byName: Map<string, readonly Tensor[]>; targets: Target[] } {
  const byName = new Map<string, readonly Tensor[]>();
  const targets: Target[] = [];
  for (const row of rows) {
    const own = logits !== undefined && isLogits(row);
    let target = own ? undefined : targets.find((other) => other.shared && isTied(other.row, row));
    if (!target) {
      const stored = storedNames(row).map((name) => (entries.get(name) as Entry).dtype);
      const dtype = own ? QUANTISED[logits] : storageOf(row, stored, format);
      target = { row, stored, shared: !own, tensors: split(row, dtype, limit) };
      targets.push(target);
    }
    byName.set(row.ours, target.tensors);
  }
  return { byName, targets };
}

/** Whether a row is the matrix that makes logits. */
const isLogits = ({ ours }: WeightRow): boolean => ours === "lm_head.weight";

/** The format of a row whose tensors have these dtypes in the checkpoint. Tied weights have that of the first row. */
function storageOf(row: WeightRow, stored: readonly string[], format: WeightFormat): DType {
  if (row.shape.length < 2 || row.f32 || stored.length === 0) return "f32";
  const kept = HALVES.find((half) => stored.every((dtype) => dtype === half.toUpperCase()));
  if (format === "int8" || format === "int4") {
    if (row.lookup || row.shape.length > 2) return kept ?? "f16";
    return QUANTISED[format];
  }
  if (format === "f32") return format;
  return format === "auto" || row.precise ? (kept ?? "f32") : format;
}

const QUANTISED = { int8: "i8", int4: "i4" } as const;
const HALVES = ["f16", "bf16"] as const;
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

/** A part of a weight that is being read. */
interface Use {
  readonly part: number;
  readonly assembly: Assembly;
  readonly format: FloatFormat;
  /** Counts down the parts of the weight. */
  done(): void;
}

/** Reads the checkpoint once, in the order of its files, and uploads each block of a weight as soon as it can. */
async function fill(gpu: Gpu, checkpoint: Checkpoint, targets: readonly Target[], hooks: LoadHooks): Promise<void> {
  const uses = new Map<Entry, Use[]>();
  const scratch = createScratch();
  for (const { row, tensors, stored } of targets) {
    const format = HALVES.find((half) => half === tensors[0].dtype) ?? "f32";
    const assembly = assemble(row, stored, upload(gpu, tensors, format, scratch));
    let left = stored.length;
    const done = (): void => void (--left || assembly.finish());
    for (const [part, name] of row.theirs.entries()) {
      const entry = name === null ? undefined : checkpoint.entries.get(name);
      if (entry) uses.set(entry, [...(uses.get(entry) ?? []), { part, assembly, format, done }]);
    }
    if (left === 0) assembly.finish();
  }
  let unsettled = 0;
  await checkpoint.read(
    uses.keys(),
    async (entry, bytes, row) => {
      const words = view(entry.dtype, bytes);
      const at = row * (elements(entry) / (entry.shape[0] ?? 1)) || 0;
      for (const { part, assembly, format, done } of uses.get(entry) ?? []) {
        checkNumbers(entry, words, format);
        assembly.add(part, entry.dtype, words, at);
        if (at + words.length === elements(entry)) done();
      }
      unsettled += bytes.length;
      if (unsettled < SETTLED) return;
      unsettled = 0;
      await gpu.settle();
    },
    hooks,
  );
}

const SETTLED = 2 ** 25; // bytes on their way to the device at a time
const BLOCK = 2 ** 18; // numbers that are converted at a time, if 8 rows are no more

/** Converts, quantises and uploads rows of a weight, by blocks, to the tensors that hold them. */
function upload(gpu: Gpu, tensors: readonly Tensor[], format: FloatFormat, scratch: Scratch): Sink {
  const width = elements(tensors[0]) / tensors[0].shape[0];
  const rows = PART_ROWS * Math.max(1, Math.floor(BLOCK / PART_ROWS / width)); // so that writes begin at whole words
  return (dtype, words, at) => {
    let first = 0; // of the tensor, in the weight
    for (const t of tensors) {
      const [start, end] = [Math.max(first, at), Math.min(first + elements(t), at + words.length)];
      for (let i = start; i < end; i += rows * width) {
        const block = words.subarray(i - at, Math.min(i + rows * width, end) - at);
        const converted = convert(dtype, block, format, scratch.converted(4 * block.length));
        writeRows(gpu, t, converted, (i - first) / width, scratch);
      }
      first += elements(t);
    }
  };
}

/** Writes rows of a tensor from row `row` on. With scales by group, these follow all values of the tensor. */
function writeRows(gpu: Gpu, t: Tensor, values: Words, row: number, scratch: Scratch): void {
  const { bits, group, quantise, words } = storage(t.dtype);
  const width = elements(t) / t.shape[0];
  if (!group || !quantise || !words) return gpu.write(t, values, (row * width * bits) / 8);
  const rows = values.length / width;
  const memory = scratch.quantised(4 * words(rows, width));
  const quantised = quantise(values as Float32Array, width, memory);
  const own = Math.ceil(width / group) * bits; // words of a row's values
  const scales = words(1, width) - own; // and of its scales
  gpu.write(t, quantised.subarray(0, rows * own), 4 * row * own);
  gpu.write(t, quantised.subarray(rows * own), 4 * (t.shape[0] * own + row * scales));
}

/** Memory for blocks on their way to the device, by the number of bytes; it is used again for each. */
type Scratch = Readonly<Record<"converted" | "quantised", (bytes: number) => ArrayBuffer>>;

function createScratch(): Scratch {
  const grow = (): Scratch["converted"] => {
    let memory = new ArrayBuffer(0);
    return (bytes) => (memory.byteLength < bytes ? (memory = new ArrayBuffer(bytes)) : memory);
  };
  return { converted: grow(), quantised: grow() };
}
