import { attentionWeights } from "../src/kernels/index.js";
import { args, values } from "../tests/attention_weights.args.js";
import { benchKernel } from "./support/kernel_bench.js";

export const bench = benchKernel(
  attentionWeights,
  { "bert-base N=128": { B: 1, S: 128, T: 128, H: 12, E: 64, self: 1 } },
  { args, values, tolerance: 1e-5, small: { S: 9, T: 9 } },
);
