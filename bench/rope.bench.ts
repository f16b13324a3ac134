import { rope } from "../src/kernels/index.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

// Prompts of B sentences of T rows each, from position 0. gpt2-brown rotates nothing: only its keys and values are stored.
export const bench = benchKernel(
  rope,
  {
    "llama-1b N=128": { B: 1, T: 128, M: 256, H: 32, K: 8, E: 64 },
    "llama-1b N=512": { B: 1, T: 512, M: 1024, H: 32, K: 8, E: 64 },
    "llama-1b N=512 as B=8": { B: 8, T: 64, M: 256, H: 32, K: 8, E: 64 },
    "llama-1b N=512 interleaved": { B: 1, T: 512, M: 1024, H: 32, K: 8, E: 64, interleaved: 1 },
    "llama-1b N=512 with norms": { B: 1, T: 512, M: 1024, H: 32, K: 8, E: 64, norms: 1 },
    "gpt2-brown N=128": { B: 1, T: 128, M: 256, H: 4, K: 4, E: 64, plain: 1 },
  },
  {
    args: ({ B, T, M, H, K, E, norms = 0, plain = 0 }, random) => ({
      rows: u32([B * T, 4], (i) => [0, Math.floor(i / 4) % T, Math.floor(i / 4 / T), 0][i % 4]),
      rotary: plain ? undefined : noise("f32", [M, E], random),
      qk_norm: norms ? noise("f32", [2, E], random) : undefined,
      qkv: noise("f32", [B * T, (H + 2 * K) * E], random),
      cache: noise("f32", [B, M, 2 * K * E], random),
    }),
    values: ({ H, K, E, interleaved = 0 }) => ({ H, K, E, W: 1, eps: 1e-6, INTERLEAVED: interleaved }),
    tolerance: 2e-5,
    small: { T: 9 },
    inPlace: true,
  },
);
