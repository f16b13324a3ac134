import type { DeviceClass } from "../runtime/device_class.js";
import type { Dims } from "../runtime/kernel.js";
import { FORMATS, perLoad } from "./formats.js";

/** Workgroup shapes of matmul: the default for each size, and those that `tune` measures. */

const low = { DOWN: 4, ACROSS: 16, FOURS: 1, SPLIT: 1 }; // 16 rows x 64 outputs
const small = { DOWN: 4, ACROSS: 4, FOURS: 1, SPLIT: 4 }; // 16 x 16
const narrow = { DOWN: 8, ACROSS: 4, FOURS: 1, SPLIT: 4 }; // 32 x 16
const square = { DOWN: 8, ACROSS: 8, FOURS: 1, SPLIT: 1 }; // 32 x 32
const large = { DOWN: 8, ACROSS: 8, FOURS: 2, SPLIT: 1 }; // 64 x 64

/** The number of tiles that a workgroup shape needs (variant "shared"). */
export const sharedTiles = ({ N, J, O, DOWN, ACROSS, FOURS }: Dims): number =>
  Math.ceil(N / (4 * DOWN * FOURS)) * Math.ceil((J * O) / (4 * ACROSS * FOURS));

/** Whether each row of weights is a number of whole loads of 16 bytes. */
export const wholeLoads = (d: Dims): boolean => d.I % perLoad(d) === 0;

/** Loads of a row of weights: of 16 bytes, or else of a single weight (variants "rows.*" for GPUs). */
const loadsOf = (d: Dims): number => (wholeLoads(d) ? d.I / perLoad(d) : d.I);

const BUSY = 128; // workgroups, with which a GPU of up to 32 cores has four for each

/** Whether so few rows give so few tiles that most of a GPU would wait: then the variants "rows.*" are better. */
export const tooFew = (d: Dims): boolean => d.N <= 16 && sharedTiles({ ...d, ...low }) < BUSY;

/** Whether 8 x 8 sums an invocation leave registers: in Intel's subgroups of the compiler's own choice they do not. */
const hasRegisters = ({ vendor, subgroupSize }: DeviceClass): boolean =>
  ["amd", "apple", "nvidia"].includes(vendor) || (vendor === "intel" && subgroupSize !== undefined);

/** 64 x 64, which Intel's compiler spills when it may load ahead. */
const largeOn = ({ vendor }: DeviceClass): Dims => (vendor === "intel" ? { ...large, UNROLL: 0 } : large);

/**
 * The default shape (variant "shared"): the largest tiles of which there are enough, because they read least; where
 * there are few, smaller ones whose sum is split among slices.
 */
export function sharedShape(d: Dims, device: DeviceClass): Dims {
  const enough = (shape: Dims, least: number): boolean => sharedTiles({ ...d, ...shape }) >= least;
  if (d.N <= 16) return enough(low, BUSY) ? low : small;
  if (d.N >= 64 && enough(large, 2 * BUSY) && hasRegisters(device)) return largeOn(device);
  if (d.I < 64 || enough(square, BUSY)) return square;
  if (enough(square, BUSY / 2)) return { ...square, SPLIT: 2 };
  return enough(narrow, BUSY / 2) ? narrow : small;
}

/** The shapes that fit into 16 KiB of workgroup memory (variant "shared"); weights of f16 may be staged as they are. */
export const sharedShapes = ({ N, I, WEIGHT_FORMAT }: Dims, device: DeviceClass): Dims[] =>
  [
    low,
    { ...low, SPLIT: 2 },
    small,
    square,
    { ...square, SPLIT: 2 },
    ...(FORMATS[WEIGHT_FORMAT] === "f16" && I % 4 === 0 ? [{ ...square, HALVES: 1 }] : []),
    ...(N > 16 ? [narrow, { ...square, ACROSS: 16 }] : []),
    ...(N > 32 ? [{ ...square, DOWN: 16, ACROSS: 16 }, largeOn(device)] : []),
  ].filter(({ SPLIT }) => SPLIT === 1 || I >= 64 * SPLIT);

/** Rows of a subgroup's tile (variant "cpu"): as many as possible, unless fewer leave less of the last tile empty. */
const broadcastRows = ({ N }: Dims, most: number): number => {
  const cost = (rows: number): number => Math.ceil(N / rows) * (rows + 12); // loading weights costs as much as 12 rows
  return [32, 24, 16, 8].filter((rows) => rows <= most).reduce((best, rows) => (cost(rows) < cost(best) ? rows : best));
};

/** The default shape (variant "cpu"): 32 outputs for subgroups of 8 and of 4. */
export function broadcastShape(d: Dims, subgroup: number): Dims {
  const FOURS = subgroup === 4 ? 2 : 1;
  return { LANES: subgroup, FOURS, ROWS: broadcastRows(d, 32 / FOURS) };
}

/** The shapes that fit into registers (variant "cpu"). */
export const broadcastShapes = (subgroup: number): Dims[] => [
  ...[8, 16, 24, 32].map((ROWS) => ({ LANES: subgroup, FOURS: 1, ROWS })),
  ...[8, 16].map((ROWS) => ({ LANES: subgroup, FOURS: 2, ROWS })),
];

/**
 * The number of invocations that share the sums of four outputs (variant "rows.shared"), with about two loads each.
 * With one load each they would spend their time on summing up, not on loading.
 */
export const lanes = (d: Dims): number => 2 ** Math.floor(Math.log2(Math.max(8, Math.min(64, loadsOf(d) / 2))));

/** The shapes that fit into 16 KiB of workgroup memory (variant "rows.shared"). */
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
    .filter(([LANES, SETS]) => LANES <= loadsOf(d) && LANES * SETS * rows < 1024)
    .map(([LANES, SETS]) => ({ LANES, SETS }));
