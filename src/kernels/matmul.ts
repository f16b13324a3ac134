import shared from "../../shaders/matmul.shared.wgsl";
import subgroup from "../../shaders/matmul.subgroup.wgsl";
import direct from "../../shaders/matmul.wgsl";
import { type Dims, defineKernel, type Form } from "../runtime/kernel.js";
import { linearBase, linearCheck, linearReads, linearReference } from "./linear.js";

// 12 rows a tile is the fastest; where it would leave much of the last tile empty, 8.
const rows = ({ N }: Dims): number => (N >= 96 ? 12 : 8);

/** Tiles of a shape of workgroup. */
const tiles = ({ N, J, O, DOWN, ACROSS, FOURS }: Dims): number =>
  Math.ceil(N / (4 * DOWN * FOURS)) * Math.ceil((J * O) / (4 * ACROSS * FOURS));

const low = { DOWN: 4, ACROSS: 16, FOURS: 1 }; // 16 rows x 64 outputs
const square = { DOWN: 8, ACROSS: 8, FOURS: 1 }; // 32 x 32

/** Fewer tiles than a GPU has places for workgroups: the slices of a sum go side by side. */
const split = (d: Dims, shape: Dims): number =>
  d.I < 256 || tiles({ ...d, ...shape }) >= 128 ? 1 : shape === low || tiles({ ...d, ...shape }) >= 64 ? 2 : 4;

/** Rows of a subgroup's tile: the most, unless another number leaves less of the last tile empty. */
const broadcastRows = ({ N }: Dims, most: number): number => {
  const cost = (rows: number): number => Math.ceil(N / rows) * (rows + 12); // weights cost as many loads whatever the rows
  return [32, 24, 16, 8].filter((rows) => rows <= most).reduce((best, rows) => (cost(rows) < cost(best) ? rows : best));
};

const forms: { readonly direct: Form; readonly shared: Form; readonly subgroup: Form } = {
  direct: {
    wgsl: direct,
    groups: ({ N, J, O, ROWS }) => Math.ceil(N / ROWS) * Math.ceil((J * O) / 64),
    constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1 }),
  },
  shared: {
    wgsl: shared,
    groups: tiles,
    constants(d) {
      const shape = d.N <= 16 ? low : square;
      return { ...shape, SPLIT: split(d, shape), GATED: d.J - 1 };
    },
    variants: ({ N, I }) => [
      ...[low, square].flatMap((shape) =>
        [1, 2, 4]
          .filter((SPLIT) => SPLIT === 1 || (I >= 64 * SPLIT && (shape !== low || SPLIT === 2))) // in 16 KiB
          .map((SPLIT) => ({ ...shape, SPLIT })),
      ),
      ...(N > 16 ? [{ DOWN: 8, ACROSS: 16, FOURS: 1, SPLIT: 1 }] : []),
      ...(N > 32
        ? [
            { DOWN: 16, ACROSS: 16, FOURS: 1, SPLIT: 1 },
            { ...square, FOURS: 2, SPLIT: 1 },
          ]
        : []),
    ],
  },
  subgroup: {
    wgsl: subgroup,
    software: true,
    fits: ({ SUBGROUP }) => SUBGROUP === 8 || SUBGROUP === 4,
    groups: ({ N, J, O, ROWS, FOURS, LANES }) => Math.ceil(N / ROWS) * Math.ceil((J * O) / (4 * FOURS * LANES)),
    constants(d) {
      const FOURS = d.SUBGROUP === 4 ? 2 : 1; // as many outputs a subgroup
      return { LANES: d.SUBGROUP, FOURS, ROWS: broadcastRows(d, 32 / FOURS), GATED: d.J - 1 };
    },
    variants: ({ SUBGROUP }) => [
      ...[8, 16, 24, 32].map((ROWS) => ({ LANES: SUBGROUP, FOURS: 1, ROWS })),
      ...[8, 16].map((ROWS) => ({ LANES: SUBGROUP, FOURS: 2, ROWS })),
    ],
  },
};

/** Linear layer for many rows. Maths, shapes and source: the header of the WGSL file. */
export const matmul = defineKernel({
  name: "matmul",
  ...linearBase,
  reads: { ...linearReads, status: "u32[2]?" },
  params: ["J", "O", "y_at"],
  constants: ["ACTIVATION"],
  forms,
  check: linearCheck,
  reference: linearReference,
});
