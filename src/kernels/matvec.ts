import wgsl from "../../shaders/matvec.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { linearBytes, linearCheck, linearFlops, linearPatterns, linearReference } from "./linear.js";

/** Rows up to which the weights are read once for all of them. */
export const MATVEC_ROWS = 8;

const rows = ({ N }: Dims): number => 2 ** Math.ceil(Math.log2(Math.min(N, MATVEC_ROWS)));

/** Linear layer for few rows. Maths, shapes and source: the header of the WGSL file. */
export const matvec = defineKernel({
  name: "matvec",
  ...linearPatterns,
  forms: {
    direct: {
      wgsl,
      groups: ({ N, J, O, ROWS }) => Math.ceil(N / ROWS) * Math.ceil((J * O) / 32),
      constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1 }),
    },
  },
  check: linearCheck,
  bytes: linearBytes,
  flops: linearFlops,
  reference: linearReference,
});
