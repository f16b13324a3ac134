import type { Json } from "../checkpoint/checkpoint.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Entry } from "../checkpoint/safetensors.js";
import type { Architecture, Stack } from "../graph/architecture.js";

/** The tensors of a checkpoint by the names that a family uses. */
export type Entries = ReadonlyMap<string, Entry>;

/** A model family: how checkpoints of one `model_type` of Transformers map to our graph. */
export interface Family<A extends Architecture = Architecture> {
  /** As config.json has it. */
  readonly model_type: string;
  /**
   * The name of the model inside of classes with a head (`base_model_prefix` in Transformers). Tensors may be stored
   * with it in front or without; everywhere else they are named without.
   */
  readonly prefix: string;
  /** Other names that fields of config.json may have (`attribute_map` in Transformers), and the names used here. */
  readonly aliases?: Readonly<Record<string, string>>;
  /**
   * Gives tensors that have several names in checkpoints of this family a single one, which is used everywhere else.
   */
  rename?(name: string): string;
  /**
   * The architecture by config.json and the tensors; fields that are absent have the defaults of Transformers. Throws
   * CheckpointError for a config that is not supported.
   */
  architecture(config: Json, entries: Entries): A;
  /** Where each weight comes from. */
  rows(architecture: A, config: Json, entries: Entries): WeightRow[];
  /** Names of tensors that are one and the same, by config.json: all may be stored, or any one of them. */
  ties?(config: Json): readonly (readonly string[])[];
  /** Match tensors inside of the model that are not weights, or are computed here. */
  readonly ignored?: readonly RegExp[];
}

/**
 * H heads of width D/H for queries, keys and values, whose scores are divided by the root of it (Vaswani et al. 2017,
 * eq. 1).
 */
export function equalHeads(D: number, H: number): Pick<Stack, "H" | "K" | "E" | "scale"> {
  return { H, K: H, E: D / H, scale: (D / H) ** -0.5 };
}

/** The width of the states that a stored projection of keys [K*E,I] reads; undefined where it is D. */
export function memoryOf(entries: Entries, name: string, D: number): number | undefined {
  const I = entries.get(`${name}.weight`)?.shape[1];
  return I === D ? undefined : I;
}

/**
 * The rows of one layer, repeated for all layers: its names follow `ours.0.` and `theirs.0.`, `ours.1.` and
 * `theirs.1.`, ...
 */
export function layerRows(ours: string, theirs: string, depth: number, layer: readonly WeightRow[]): WeightRow[] {
  const at = (l: number, row: WeightRow): WeightRow => ({
    ...row,
    ours: `${ours}.${l}.${row.ours}`,
    theirs: row.theirs.map((name) => name && `${theirs}.${l}.${name}`),
  });
  return Array.from({ length: depth }, (_, l) => layer.map((row) => at(l, row))).flat();
}

type LinearHow = Pick<WeightRow, "transpose" | "interleave" | "parts" | "precise"> & { readonly bias?: boolean };

/** The rows of a linear layer [O,I] that is made of one or several stored ones, such as q, k and v. */
export function linearRows(
  ours: string,
  theirs: readonly string[],
  O: number,
  I: number,
  { bias = true, ...how }: LinearHow = {},
): WeightRow[] {
  const weight = { ours: `${ours}.weight`, theirs: theirs.map((name) => `${name}.weight`), shape: [O, I], ...how };
  if (!bias) return [weight];
  return [
    weight,
    { ours: `${ours}.bias`, theirs: theirs.map((name) => `${name}.bias`), shape: [O], ...how, transpose: false },
  ];
}

/** The rows of a norm of width D; an RMSNorm has no bias. */
export function normRows(ours: string, theirs: string, D: number, { bias = true } = {}): WeightRow[] {
  const parts = bias ? ["weight", "bias"] : ["weight"];
  return parts.map((part) => ({ ours: `${ours}.${part}`, theirs: [`${theirs}.${part}`], shape: [D] }));
}

/** The row of a table [rows,D] of tokens, positions or segments. */
export function tableRow(
  ours: string,
  theirs: string,
  shape: readonly [rows: number, D: number],
  how: Pick<WeightRow, "lookup" | "precise" | "f32">,
): WeightRow {
  return { ours: `${ours}.weight`, theirs: [`${theirs}.weight`], shape, ...how };
}

/** An architecture that has the given stacks. */
export type With<Side extends "encoder" | "decoder"> = Architecture & Required<Pick<Architecture, Side>>;
