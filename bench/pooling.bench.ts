import { POOLING, pooling } from "../src/kernels/pooling.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

export const bench = benchKernel(
  pooling,
  {
    "minilm B=1 S=128": { B: 1, S: 128, D: 384 },
    "minilm B=32 S=128": { B: 32, S: 128, D: 384 },
    "minilm B=32 S=128 normalised": { B: 32, S: 128, D: 384, normalize: 1 },
  },
  {
    args: ({ B, S, D }, random) => ({
      x: noise("f32", [B * S, D], random),
      spans: u32([B, 2], (i) => (i % 2 ? S : (i / 2) * S)),
    }),
    values: ({ normalize = 0 }) => ({ MODE: POOLING.mean, NORMALIZE: normalize }),
    tolerance: 1e-6,
    small: {},
  },
);
