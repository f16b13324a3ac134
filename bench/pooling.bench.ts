import { POOLING, pooling } from "../src/kernels/pooling.js";
import { args, values } from "../tests/pooling.args.js";
import { benchKernel } from "./support/kernel_bench.js";

const mode = POOLING.mean;

export const bench = benchKernel(
  pooling,
  {
    "minilm B=1 S=128": { B: 1, S: 128, D: 384, mode },
    "minilm B=32 S=128": { B: 32, S: 128, D: 384, mode },
    "minilm B=32 S=128 normalised": { B: 32, S: 128, D: 384, mode, normalize: 1 },
  },
  { args, values, tolerance: 1e-6, small: {} },
);
