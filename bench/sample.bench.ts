import { sample } from "../src/kernels/index.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

// "all" draws from all tokens; top_k 50 is the default of Transformers.
export const bench = benchKernel(
  sample,
  {
    "gpt2-brown B=1 all": { R: 1, V: 4096 },
    "gpt2-brown B=1 top_k": { R: 1, V: 4096, top_k: 50 },
    "gpt2-brown B=1 top_k top_p min_p": { R: 1, V: 4096, top_k: 50, top_p: 0.9, min_p: 0.05 },
    "gpt2-brown B=64 top_k": { R: 64, V: 4096, top_k: 50 },
    "llama-1b B=1 top_k top_p": { R: 1, V: 128256, top_k: 50, top_p: 0.9 },
    "gpt2 B=1 all": { R: 1, V: 50257 },
    "gpt2 B=1 top_k top_p min_p": { R: 1, V: 50257, top_k: 50, top_p: 0.9, min_p: 0.05 },
  },
  {
    args: ({ R, V }, random) => ({
      rows: u32([R, 4], (i) => [0, 100, Math.floor(i / 4), 0][i % 4]),
      logits: noise("f32", [R, V], () => 8 * random()),
    }),
    values: ({ top_k = 0, top_p = 1, min_p = 0 }) => ({ temperature: 0.8, top_k, top_p, min_p, seed: 7 }),
    tolerance: 1e-4,
    small: { V: 997 },
  },
);
