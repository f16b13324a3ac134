import { logMel } from "../src/kernels/index.js";
import { args, values } from "../tests/log_mel.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// Half a minute of speech.
const shapes = {
  "whisper, 80 bands": { N: 3000, X: 201, C: 80 },
  "whisper, 128 bands": { N: 3000, X: 201, C: 128, wide: 4 },
};

export const bench = benchKernel(logMel, shapes, { args, values, tolerance: 1e-5, small: { N: 20 } });
