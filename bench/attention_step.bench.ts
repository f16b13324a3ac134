import { attentionStep } from "../src/kernels/index.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

// The cache is half full, and beams have changed rows at random.
export const bench = benchKernel(
  attentionStep,
  {
    "g2p-en B=1 W=4": { B: 1, W: 4, M: 48, H: 4, E: 64 },
    "g2p-en B=64 W=4": { B: 64, W: 4, M: 48, H: 4, E: 64 },
    "marian-base B=1 W=4": { B: 1, W: 4, M: 64, H: 8, E: 64 },
    "marian-base B=32 W=4": { B: 32, W: 4, M: 64, H: 8, E: 64 },
    "gpt2 B=1": { B: 1, W: 1, M: 1024, H: 12, E: 64 },
    "gpt2 B=8": { B: 8, W: 1, M: 1024, H: 12, E: 64 },
    "llama-1b B=1": { B: 1, W: 1, M: 2048, H: 32, K: 8, E: 64, rotary: 1 },
  },
  {
    args: ({ B, W, M, H, K = H, E, rotary = 0 }, random) => {
      const R = B * W;
      const anyBeam = (): number => Math.floor((random() + 1) * 0.5 * W);
      return {
        rows: u32([R, 4], (i) => [0, M / 2 - 1, Math.floor(i / 4 / W), 0][i % 4]),
        qkv: noise("f32", [R, (H + 2 * K) * E], random),
        indirection: u32([2, R, M], (i) => Math.floor((Math.floor(i / M) % R) / W) * W + anyBeam()),
        positional: rotary ? noise("f32", [M, E], random) : undefined,
        cache: noise("f32", [R, M, 2 * K * E], random),
      };
    },
    values: ({ H, K = H, E }) => ({ H, K, E, scale: E ** -0.5, eps: 1e-6 }),
    tolerance: 2e-5,
    small: { B: 1, M: 48 },
  },
);
