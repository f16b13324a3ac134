import { show } from "../../runtime/errors.js";
import type { Checkpoint, Json } from "./checkpoint.js";
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
   * Kept as f32 unless the checkpoint stores 16 bits: rounding costs accuracy here, in what makes attention scores.
   */
  readonly precise?: boolean;
  /** A table that is looked up by token: kept in 16 bits where linear layers are quantised. */
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
const BUFFERS = /(^|\.)(position_ids|token_type_ids|masked_bias|inv_freq)$/; // what modules of PyTorch keep beside weights
const SHOWN = 20; // faults in a message
const LONGEST = 200; // characters of a name in it

/** How the tensors of a checkpoint fit the rows of a model. */
export interface Fit {
  /** A line for each tensor that is missing, misshapen, mistyped or extra: the first 20, and how many more there are. */
  readonly faults: readonly string[];
  /** How many faults there are. */
  readonly count: number;
  /** Names of the tensors that are not used: buffers, and heads for other tasks. */
  readonly unused: readonly string[];
}

/**
 * Compares the tensors with the rows. Tensors inside of the model that no row uses are faults unless `ignored` matches
 * them: the model may be another one. Outside, beside its modules, anything may be.
 */
export function fitRows({ config, entries }: Checkpoint, rows: readonly WeightRow[], ignored: readonly RegExp[]): Fit {
  const faults = new Map<string, string>(); // by name, because a tied tensor occurs in several rows
  for (const row of rows) {
    for (const [part, name] of row.theirs.entries()) {
      if (name === null) continue;
      const fault = findFault(name, storedShape(row, part), entries.get(name));
      if (fault) faults.set(name, fault);
    }
  }
  const used = new Set(rows.flatMap(storedNames));
  const modules = new Set(Array.from(used, moduleOf));
  const unused = Array.from(entries.keys()).filter((name) => !used.has(name));
  for (const name of unused)
    if (modules.has(moduleOf(name)) && ![BUFFERS, ...ignored].some((pattern) => pattern.test(name)))
      faults.set(name, `extra: ${storedName(name, entries.get(name))}`);
  const lines = [...faults.values()].slice(0, SHOWN);
  if (faults.size > SHOWN) lines.push(`and ${faults.size - SHOWN} more`);
  if (faults.size) lines.push(...quantisation(config, entries));
  return { faults: lines, count: faults.size, unused };
}

/** The name of a tensor in its file, or else here, as messages show it. */
const storedName = (name: string, entry?: Entry): string => (entry?.name ?? name).slice(0, LONGEST);

/** The outermost module that a tensor belongs to. */
const moduleOf = (name: string): string => name.split(".", 1)[0];

function findFault(name: string, shape: readonly number[], entry: Entry | undefined): string | undefined {
  const who = storedName(name, entry);
  if (!entry) return `missing: ${who} [${shape}]`;
  if (entry.shape.join() !== shape.join()) return `misshapen: ${who} must be [${shape}], got ${show(entry.shape)}`;
  return FLOATS.has(entry.dtype) ? undefined : `mistyped: ${who} must be F32, F16 or BF16, got ${entry.dtype}`;
}

const QUANTISED: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\.(qweight|qzeros|g_idx)$/, "GPTQ or AWQ"],
  [/\.(absmax|quant_map|SCB|nested_absmax)$|\.quant_state\./, "bitsandbytes"],
  [/\.weight_scale(_inv)?$|\.weight_packed$/, "fp8 or compressed-tensors"],
  [/\.(lora_[AB]|lora_embedding_[AB])\./, "LoRA"],
];

/** A line that says how faulty tensors were quantised by somebody else; none when nothing speaks for it. */
function quantisation(config: Json, entries: ReadonlyMap<string, Entry>): string[] {
  const names = [...entries.keys()];
  const found = QUANTISED.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
  const fp8 = [...entries.values()].some(({ dtype }) => dtype.startsWith("F8_"));
  const { quant_method: method } = (config.quantization_config ?? {}) as Json;
  const what = found ?? (typeof method === "string" ? method.slice(0, LONGEST) : fp8 ? "fp8" : undefined);
  return what ? [`the tensors are those of ${what}, which is not supported; give the original checkpoint`] : [];
}
