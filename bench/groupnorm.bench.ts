import { groupnorm } from "../src/kernels/index.js";
import { args, values } from "../tests/groupnorm.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// What follows Moonshine's first convolution: 250 rows a second.
export const bench = benchKernel(
  groupnorm,
  {
    "moonshine-tiny 1 s": { B: 1, S: 249, D: 288 },
    "moonshine-tiny 11 s": { B: 1, S: 2748, D: 288 },
    "moonshine-tiny B=8 11 s": { B: 8, S: 2748, D: 288 },
    "moonshine-base 11 s": { B: 1, S: 2748, D: 416 },
  },
  { args, values, tolerance: 1e-5, small: { S: 20 } },
);
