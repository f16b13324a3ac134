import { attentionMerge } from "../src/kernels/index.js";
import { args, values } from "../tests/attention_merge.args.js";
import { benchKernel } from "./support/kernel_bench.js";

export const bench = benchKernel(
  attentionMerge,
  {
    "gpt2 B=1": { R: 1, M: 1024, H: 12, E: 64 },
    "llama-1b B=1": { R: 1, M: 4096, H: 32, E: 64 },
  },
  { args, values, tolerance: 2e-5, small: {} },
);
