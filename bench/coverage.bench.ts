import { coverage } from "../src/kernels/index.js";
import { args, values } from "../tests/coverage.args.js";
import { benchKernel } from "./support/kernel_bench.js";

export const bench = benchKernel(
  coverage,
  {
    "marian-base B=1 W=4": { B: 1, W: 4, T: 32 },
    "marian-base B=32 W=4": { B: 32, W: 4, T: 64 },
    "whisper-tiny B=1 W=5": { B: 1, W: 5, T: 1500 },
  },
  { args, values, tolerance: 1e-4, small: {}, inPlace: true },
);
