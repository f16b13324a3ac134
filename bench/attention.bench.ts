import { attention } from "../src/kernels/index.js";
import { args, values } from "../tests/attention.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// B sentences of T queries and S keys each, or of about as many tokens where they spread.
export const bench = benchKernel(
  attention,
  {
    "g2p-en cross B=1 W=4": { B: 1, T: 4, S: 10, H: 4, E: 64, packed: 1 },
    "g2p-en cross B=64 W=4": { B: 64, T: 4, S: 10, H: 4, E: 64, packed: 1 },
    "marian-base cross B=1 W=4": { B: 1, T: 4, S: 32, H: 8, E: 64, packed: 1 },
    "marian-base cross B=32 W=4": { B: 32, T: 4, S: 32, H: 8, E: 64, packed: 1 },
    "minilm N=128": { B: 1, S: 128, H: 12, E: 32, self: 1 },
    "bert-base N=128": { B: 1, S: 128, H: 12, E: 64, self: 1 },
    "bert-base N=512": { B: 1, S: 512, H: 12, E: 64, self: 1 },
    "bert-base N=512 as B=4": { B: 4, S: 128, H: 12, E: 64, self: 1 },
    "bert-base B=8, 8 to 120 tokens": { B: 8, S: 64, H: 12, E: 64, self: 1, spread: 1 },
    "t5-base N=512, biased": { B: 1, S: 512, H: 12, E: 64, self: 1, bias: 128 },
    "t5-base prompt T=512, biased": { B: 1, S: 512, H: 12, E: 64, self: 1, causal: 1, bias: 128 },
    "gpt2 prompt T=512 in slots": {
      B: 1,
      S: 512,
      T: 512,
      H: 12,
      E: 64,
      packed: 1,
      causal: 1,
      pooled: 1,
    },
    "gpt2 prompt T=512": { B: 1, S: 512, H: 12, E: 64, self: 1, causal: 1 },
  },
  { args, values, tolerance: 2e-5, small: { B: 2, T: 9, S: 9 } },
);
