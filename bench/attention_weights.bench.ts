import { attentionWeights } from "../src/kernels/index.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

export const bench = benchKernel(
  attentionWeights,
  {
    "bert-base N=128": { T: 128, H: 12, E: 64 },
  },
  {
    args: ({ T, H, E }, random) => ({
      rows: u32([T, 4], (i) => (i % 4 === 1 ? i >> 2 : 0)),
      spans: u32([1, 2], (i) => i * T),
      q: noise("f32", [T, 3 * H * E], random),
      kv: noise("f32", [T, 3 * H * E], random),
    }),
    values: ({ T, H, E }) => ({ H, K: H, E, T, k_at: H * E, scale: E ** -0.5 }),
    tolerance: 1e-5,
    small: { T: 9 },
  },
);
