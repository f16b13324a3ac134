import { attention } from "../src/kernels/index.js";
import { benchKernel, noise, u32 } from "./harness.js";

// B sentences of T queries and S keys each. Self attention reads queries, keys and values from rows of 3 * D numbers.
export const bench = benchKernel(attention, {
  "g2p-en cross B=1 W=4": { B: 1, T: 4, S: 10, H: 4, E: 64 },
  "g2p-en cross B=64 W=4": { B: 64, T: 4, S: 10, H: 4, E: 64 },
  "marian-base cross B=1 W=4": { B: 1, T: 4, S: 32, H: 8, E: 64 },
  "marian-base cross B=32 W=4": { B: 32, T: 4, S: 32, H: 8, E: 64 },
  "bert-base N=128": { B: 1, T: 128, S: 128, H: 12, E: 64, self: 1 },
  "bert-base N=512": { B: 1, T: 512, S: 512, H: 12, E: 64, self: 1 },
  "bert-base N=512 as B=4": { B: 4, T: 128, S: 128, H: 12, E: 64, self: 1 },
}, {
  args: ({ B, T, S, H, E, self = 0 }, random) => ({
    rows: u32([B * T, 4], (i) => [0, Math.floor(i / 4) % T, Math.floor(i / 4 / T), 0][i % 4]),
    spans: u32([B, 2], (i) => (i % 2 ? S : (i / 2) * S)),
    q: noise("f32", [B * T, (self ? 3 : 1) * H * E], random),
    kv: noise("f32", [B * S, (self ? 3 : 2) * H * E], random),
  }),
  values: ({ H, E, self = 0 }) => ({ H, K: H, E, k_at: self * H * E, v_at: (1 + self) * H * E, scale: E ** -0.5 }),
  tolerance: 2e-5,
  small: { T: 9, S: 9 },
});
