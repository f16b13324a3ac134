import { topk } from "../src/kernels/index.js";
import { args, values } from "../tests/topk.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// G and C as a search chooses them on a CPU adapter: partsOf in src/model/decode/search.ts.
export const bench = benchKernel(
  topk,
  {
    "g2p-en B=1 greedy": { R: 1, V: 101, G: 1, C: 1 },
    "g2p-en B=1 W=4": { R: 4, V: 101, G: 1, C: 5 },
    "g2p-en B=64 W=4": { R: 256, V: 101, G: 1, C: 5 },
    "marian-base B=1 W=4": { R: 4, V: 58101, G: 4, C: 5 },
    "marian-base B=32 W=4": { R: 128, V: 58101, G: 4, C: 5 },
    "gpt2 B=1 greedy": { R: 1, V: 50257, G: 16, C: 1 },
    "gpt2 B=1 W=4": { R: 4, V: 50257, G: 4, C: 5 },
    "llama-1b B=1 greedy": { R: 1, V: 128256, G: 16, C: 1 },
    "llama-1b B=1 W=4": { R: 4, V: 128256, G: 4, C: 5 },
    "gemma B=1 greedy": { R: 1, V: 260000, G: 16, C: 1 },
    "gemma B=1 W=64": { R: 64, V: 260000, G: 1, C: 65 },
  },
  { args, values, tolerance: 1e-4, small: { V: 997 } },
);
