import type { Architecture } from "../graph/architecture.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { WeightRow } from "../checkpoint/rows.js";

/** How a model type of Transformers maps to ours: one short file a family. */
export interface Family<A extends Architecture = Architecture> {
  readonly model_type: string;
  /** What is the same under several names in checkpoints of this family gets one; all other names are after this. */
  rename?(name: string): string;
  /** `names` are those of the checkpoint's tensors. */
  architecture(config: Json, names: ReadonlySet<string>): A;
  rows(a: A, config: Json): WeightRow[];
  /** Tensors that may lie in a checkpoint without use (copies of tied weights, tables we compute). */
  ignored(config: Json): RegExp[];
}

/** H heads of equal width for queries, keys and values, and scores divided by the root of that width (Vaswani et al. 2017, eq. 1). */
export const equalHeads = (D: number, H: number) => ({ H, K: H, E: D / H, scale: (D / H) ** -0.5 });

/** Rows of a linear layer f32[O,I] whose parts (such as q, k, v) are laid one after the other. */
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

type LinearHow = Pick<WeightRow, "transpose" | "interleave" | "parts" | "precise"> & { readonly bias?: boolean };

export function normRows(ours: string, theirs: string, D: number): WeightRow[] {
  return ["weight", "bias"].map((part) => ({ ours: `${ours}.${part}`, theirs: [`${theirs}.${part}`], shape: [D] }));
}
