import { dynamicRange } from "../src/kernels/index.js";
import { args, values } from "../tests/dynamic_range.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// Half a minute of speech.
const shapes = {
  "whisper, 80 bands": { N: 3000, T: 3000, C: 80 },
  "whisper, 128 bands": { N: 3000, T: 3000, C: 128 },
};

export const bench = benchKernel(dynamicRange, shapes, { args, values, tolerance: 1e-5, small: {} });
