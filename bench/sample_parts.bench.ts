import { sampleParts } from "../src/kernels/index.js";
import { args, values } from "../tests/sample_parts.args.js";
import { benchKernel } from "./support/kernel_bench.js";

const logits = { temperature: 0.8, gain: 8 };

// "all" draws from all tokens; top_k 50 is the default of Transformers.
export const bench = benchKernel(
  sampleParts,
  {
    "gpt2-brown B=1 all": { ...logits, R: 1, V: 4096 },
    "gpt2-brown B=1 top_k": { ...logits, R: 1, V: 4096, top_k: 50 },
    "gpt2-brown B=1 top_k top_p min_p": { ...logits, R: 1, V: 4096, top_k: 50, top_p: 0.9, min_p: 0.05 },
    "gpt2-brown B=64 top_k": { ...logits, R: 64, V: 4096, top_k: 50 },
    "llama-1b B=1 top_k top_p": { ...logits, R: 1, V: 128256, top_k: 50, top_p: 0.9 },
    "gpt2 B=1 all": { ...logits, R: 1, V: 50257 },
    "gpt2 B=1 top_k top_p min_p": { ...logits, R: 1, V: 50257, top_k: 50, top_p: 0.9, min_p: 0.05 },
  },
  { args, values, tolerance: 1e-4, small: { V: 997 } },
);
