import type { Json } from "../checkpoint/checkpoint.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Architecture, Stack } from "../graph/architecture.js";

/** How a model type of Transformers maps to ours: one short file a family. */
export interface Family<A extends Architecture = Architecture> {
  readonly model_type: string;
  /** What has several names in checkpoints of this family gets one; all other names are after this. */
  rename?(name: string): string;
  /** `names` are those of the checkpoint's tensors. Throws CheckpointError for a config that is not supported. */
  architecture(config: Json, names: ReadonlySet<string>): A;
  rows(a: A, config: Json): WeightRow[];
  /** Tensors that may be in a checkpoint without use (copies of tied weights, tables that are computed). */
  ignored(config: Json): RegExp[];
}

/**
 * H heads of equal width for queries, keys and values, and scores divided by the root of that width (Vaswani et al.
 * 2017, eq. 1).
 */
export function equalHeads(D: number, H: number): Pick<Stack, "H" | "K" | "E" | "scale"> {
  return { H, K: H, E: D / H, scale: (D / H) ** -0.5 };
}

/**
 * The rows of one layer, for every layer of a stack: names in `layer` follow `ours.0` and `theirs.0`, `ours.1` and
 * `theirs.1`, ...
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

/** A linear layer f32[O,I] whose parts (such as q, k, v) are laid one after the other. */
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

/** A LayerNorm; an RMSNorm has no bias. */
export function normRows(ours: string, theirs: string, D: number, { bias = true } = {}): WeightRow[] {
  const parts = bias ? ["weight", "bias"] : ["weight"];
  return parts.map((part) => ({ ours: `${ours}.${part}`, theirs: [`${theirs}.${part}`], shape: [D] }));
}

/** A table f32[rows,D] from which tokens, positions or segments take their row. */
export function tableRow(
  ours: string,
  theirs: string,
  shape: readonly [rows: number, D: number],
  how: Pick<WeightRow, "lookup" | "precise" | "f32">,
): WeightRow {
  return { ours: `${ours}.weight`, theirs: [`${theirs}.weight`], shape, ...how };
}

/** An architecture that has these stacks. */
export type With<Side extends "encoder" | "decoder"> = Architecture & Required<Pick<Architecture, Side>>;
