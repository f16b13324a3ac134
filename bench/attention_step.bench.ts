import { attentionStep } from "../src/kernels/index.js";
import { args, values } from "../tests/attention_step.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// The cache is half full, and beams have changed rows at random; a row's own slots are neighbours.
export const bench = benchKernel(
  attentionStep,
  {
    "g2p-en B=1 W=4": { B: 1, W: 4, M: 48, H: 4, E: 64, ordered: 1 },
    "g2p-en B=64 W=4": { B: 64, W: 4, M: 48, H: 4, E: 64, ordered: 1 },
    "marian-base B=1 W=4": { B: 1, W: 4, M: 64, H: 8, E: 64, ordered: 1 },
    "marian-base B=32 W=4": { B: 32, W: 4, M: 64, H: 8, E: 64, ordered: 1 },
    "gpt2 B=1": { B: 1, W: 1, M: 1024, H: 12, E: 64, ordered: 1 },
    "gpt2 B=8": { B: 8, W: 1, M: 1024, H: 12, E: 64, ordered: 1 },
    "t5-base B=8, biased": { B: 8, W: 1, M: 1024, H: 12, E: 64, bias: 128, ordered: 1 },
    "llama-1b B=1": { B: 1, W: 1, M: 2048, H: 32, K: 8, E: 64, rotary: 1, ordered: 1 },
  },
  { args, values, tolerance: 2e-5, small: { B: 1, M: 48 } },
);
