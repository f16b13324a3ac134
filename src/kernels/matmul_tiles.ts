import type { Dims } from "../runtime/kernel.js";
import { perLoad } from "./formats.js";

/** Shapes of workgroups of matmul: the ones to begin with, and those that `tune` measures. */

const low = { DOWN: 4, ACROSS: 16, FOURS: 1 }; // 16 rows x 64 outputs
const square = { DOWN: 8, ACROSS: 8, FOURS: 1 }; // 32 x 32

/** Tiles of a shape of workgroup (variant "shared"). */
export const sharedTiles = ({ N, J, O, DOWN, ACROSS, FOURS }: Dims): number =>
  Math.ceil(N / (4 * DOWN * FOURS)) * Math.ceil((J * O) / (4 * ACROSS * FOURS));

/** Fewer tiles than a GPU has places for workgroups: the slices of a sum go side by side. */
const split = (d: Dims, shape: Dims): number => {
  const count = sharedTiles({ ...d, ...shape });
  return d.I < 256 || count >= 128 ? 1 : shape === low || count >= 64 ? 2 : 4;
};

/** The shape for these sizes (variant "shared"). */
export function sharedShape(d: Dims): Dims {
  const shape = d.N <= 16 ? low : square;
  return { ...shape, SPLIT: split(d, shape) };
}

/** The shapes that fit 16 KiB of workgroup memory (variant "shared"). */
export const sharedShapes = ({ N, I }: Dims): Dims[] => [
  ...[low, square].flatMap((shape) =>
    [1, 2, 4]
      .filter((SPLIT) => SPLIT === 1 || (I >= 64 * SPLIT && (shape !== low || SPLIT === 2)))
      .map((SPLIT) => ({ ...shape, SPLIT })),
  ),
  ...(N > 16 ? [{ DOWN: 8, ACROSS: 16, FOURS: 1, SPLIT: 1 }] : []),
  ...(N > 32 ? [{ DOWN: 16, ACROSS: 16, FOURS: 1, SPLIT: 1 }] : []),
  ...(N > 32 ? [{ ...square, FOURS: 2, SPLIT: 1 }] : []),
];

/** Rows of a subgroup's tile (variant "cpu"): the most, unless another number leaves less of the last tile empty. */
const broadcastRows = ({ N }: Dims, most: number): number => {
  const cost = (rows: number): number => Math.ceil(N / rows) * (rows + 12); // weights cost as many loads whatever the rows
  return [32, 24, 16, 8].filter((rows) => rows <= most).reduce((best, rows) => (cost(rows) < cost(best) ? rows : best));
};

/** The shape for these sizes (variant "cpu"): as many outputs a subgroup, whatever its size. */
export function broadcastShape(d: Dims): Dims {
  const FOURS = d.SUBGROUP === 4 ? 2 : 1;
  return { LANES: d.SUBGROUP, FOURS, ROWS: broadcastRows(d, 32 / FOURS) };
}

/** The shapes that registers hold (variant "cpu"). */
export const broadcastShapes = ({ SUBGROUP }: Dims): Dims[] => [
  ...[8, 16, 24, 32].map((ROWS) => ({ LANES: SUBGROUP, FOURS: 1, ROWS })),
  ...[8, 16].map((ROWS) => ({ LANES: SUBGROUP, FOURS: 2, ROWS })),
];

/**
 * Invocations that share the sums of four outputs (variant "rows.shared"): two loads for each, where that leaves enough
 * of them. One alone would wait for the sum, not for memory.
 */
export const lanes = (d: Dims): number => 2 ** Math.floor(Math.log2(Math.max(8, Math.min(64, d.I / perLoad(d) / 2))));

/** The shapes that fit 16 KiB of workgroup memory (variant "rows.shared"). */
export const rowShapes = (d: Dims, rows: number): Dims[] =>
  [
    [8, 8],
    [16, 4],
    [32, 2],
    [64, 1],
    [16, 16],
    [32, 4],
    [64, 4],
    [128, 1],
  ]
    .filter(([LANES, SETS]) => LANES * perLoad(d) <= d.I && LANES * SETS * rows < 1024)
    .map(([LANES, SETS]) => ({ LANES, SETS }));
