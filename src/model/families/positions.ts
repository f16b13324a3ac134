import { NO_ID } from "../../kernels/constants.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import { type Entries, tableRow } from "./family.js";

/** The row of a position table [P,D], under its name in the model and in the checkpoint. */
export type Positions = (
  name: string,
  shape: readonly [P: number, D: number],
  config: Json,
  entries: Entries,
) => WeightRow;

/** Learned positions (Gehring et al. 2017), which are stored after two rows that no token has. */
export const learnedAfterTwo: Positions = (name, [P, D]) => ({
  ...tableRow(name, name, [P, D], { f32: true }),
  stored: [P + 2, D],
  derive: ([table]) => table.slice(2 * D),
});

/**
 * Sinusoids (Vaswani et al. 2017, section 3.5), unless the checkpoint stores a table. Sines are in the first half of a
 * row, cosines in the second. Source: MarianSinusoidalPositionalEmbedding of Transformers.
 */
export const sinusoids: Positions = (name, [P, D], _, entries) => {
  const table = tableRow(name, name, [P, D], { f32: true });
  if (entries.has(`${name}.weight`)) return table;
  const half = Math.ceil(D / 2);
  const waves = Array.from({ length: half }, (_, pair) => 10000 ** ((2 * pair) / D));
  const angle = (position: number, pair: number): number => position / waves[pair];
  return { ...table, theirs: [], derive: () => sinesAndCosines([P, D], half, angle) };
};

/**
 * Sinusoids of fairseq (Ott et al. 2019): waves reach from 1 to 10000 radians in D/2 steps, the last number of an odd row is 0, and the
 * first position is that after the padding token id. Computed in f32, as M2M100SinusoidalPositionalEmbedding of
 * Transformers does.
 */
export const sinusoidsAfterPadding: Positions = (name, [P, D], config) => {
  const half = Math.floor(D / 2);
  if (half < 2) throw readConfig(config).refuse("d_model", "at least 4 for these positions", D);
  const first = paddingId(config) + 1;
  const step = Math.fround(-Math.log(10000) / (half - 1));
  const frequencies = Array.from({ length: half }, (_, pair) => Math.fround(Math.exp(Math.fround(pair * step))));
  const angle = (position: number, pair: number): number => Math.fround((first + position) * frequencies[pair]);
  const derive = () => sinesAndCosines([P, D], half, angle);
  return { ...tableRow(name, name, [P, D], { f32: true }), theirs: [], derive };
};

/** The id of the token that pads, as fairseq has it by default. Throws CheckpointError for what is no id. */
export function paddingId(config: Json): number {
  const read = readConfig(config);
  const id = read.size("pad_token_id", 1);
  if (!Number.isInteger(id) || id >= NO_ID) throw read.refuse("pad_token_id", "a token id");
  return id;
}

/** A table whose rows have the sines of `half` angles, then cosines of as many as there is room for, then zeros. */
function sinesAndCosines(
  [P, D]: readonly [number, number],
  half: number,
  angle: (position: number, pair: number) => number,
): Float32Array<ArrayBuffer> {
  const table = new Float32Array(P * D);
  for (let position = 0; position < P; position++) {
    const row = table.subarray(position * D, (position + 1) * D);
    for (let pair = 0; pair < half; pair++) {
      row[pair] = Math.sin(angle(position, pair));
      if (half + pair < D) row[half + pair] = Math.cos(angle(position, pair));
    }
  }
  return table;
}
