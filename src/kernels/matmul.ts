import wgsl from "../../shaders/matmul.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { linearBytes, linearCheck, linearFlops, linearPatterns, linearReference } from "./linear.js";

// 12 rows a tile is the fastest; where it would leave much of the last tile empty, 8.
const rows = ({ N }: Dims): number => (N >= 96 ? 12 : 8);

/** Linear layer for many rows. Maths, shapes and source: the header of the WGSL file. */
export const matmul = defineKernel({
  name: "matmul",
  ...linearPatterns,
  forms: {
    direct: {
      wgsl,
      groups: ({ N, J, O, ROWS }) => Math.ceil(N / ROWS) * Math.ceil((J * O) / 64),
      constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1 }),
    },
  },
  check: linearCheck,
  bytes: linearBytes,
  flops: linearFlops,
  reference: linearReference,
});
