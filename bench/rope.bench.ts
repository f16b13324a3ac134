import { rope } from "../src/kernels/index.js";
import { args, values } from "../tests/rope.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// Prompts of B sentences of T rows each. gpt2-brown rotates nothing: its keys and values are stored.
export const bench = benchKernel(
  rope,
  {
    "llama-1b N=128": { B: 1, T: 128, M: 256, H: 32, K: 8, E: 64 },
    "llama-1b N=512": { B: 1, T: 512, M: 1024, H: 32, K: 8, E: 64 },
    "llama-1b N=512 as B=8": { B: 8, T: 64, M: 256, H: 32, K: 8, E: 64 },
    "llama-1b N=512 interleaved": { B: 1, T: 512, M: 1024, H: 32, K: 8, E: 64, interleaved: 1 },
    "llama-1b N=512 with norms": { B: 1, T: 512, M: 1024, H: 32, K: 8, E: 64, norms: 1 },
    "gpt2-brown N=128": { B: 1, T: 128, M: 256, H: 4, K: 4, E: 64, rotary: 0 },
  },
  { args, values, tolerance: 2e-5, small: { T: 9 }, inPlace: true },
);
