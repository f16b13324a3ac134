import { attention } from "../src/kernels/index.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

// B sentences of T queries and S keys each, or about as many where ragged. Self attention reads queries, keys and values from
// rows of 3 * D numbers.
export const bench = benchKernel(
  attention,
  {
    "g2p-en cross B=1 W=4": { B: 1, T: 4, S: 10, H: 4, E: 64 },
    "g2p-en cross B=64 W=4": { B: 64, T: 4, S: 10, H: 4, E: 64 },
    "marian-base cross B=1 W=4": { B: 1, T: 4, S: 32, H: 8, E: 64 },
    "marian-base cross B=32 W=4": { B: 32, T: 4, S: 32, H: 8, E: 64 },
    "minilm N=128": { B: 1, T: 128, S: 128, H: 12, E: 32, self: 1 },
    "bert-base N=128": { B: 1, T: 128, S: 128, H: 12, E: 64, self: 1 },
    "bert-base N=512": { B: 1, T: 512, S: 512, H: 12, E: 64, self: 1 },
    "bert-base N=512 as B=4": { B: 4, T: 128, S: 128, H: 12, E: 64, self: 1 },
    "bert-base B=8, 8 to 120 tokens": { B: 8, T: 64, S: 64, H: 12, E: 64, self: 1, ragged: 1 },
    "gpt2 prompt T=512": { B: 1, T: 512, S: 512, H: 12, E: 64, self: 1, causal: 1 },
  },
  {
    args: ({ B, T, S, H, E, self = 0, ragged = 0 }, random) => {
      // lengths from S / 8 to S * 15 / 8, whose mean is S
      const lengths = Array.from({ length: B }, (_, b) =>
        ragged ? Math.round((S * (1 + (14 * b) / (B - 1))) / 8) : S,
      );
      const first = lengths.map((_, b) => lengths.slice(0, b).reduce((sum, length) => sum + length, 0));
      const tokens = lengths
        .flatMap((length, b) => Array.from({ length: self ? length : T }, (_, t) => [0, t, b, 0]))
        .flat();
      return {
        rows: u32([tokens.length / 4, 4], (i) => tokens[i]),
        spans: u32([B, 2], (i) => (i % 2 ? lengths[i >> 1] : first[i >> 1])),
        q: noise("f32", [tokens.length / 4, (self ? 3 : 1) * H * E], random),
        kv: noise("f32", [first[B - 1] + lengths[B - 1], (self ? 3 : 2) * H * E], random),
      };
    },
    values: ({ H, E, self = 0, causal = 0 }) => ({
      H,
      K: H,
      E,
      k_at: self * H * E,
      v_at: (1 + self) * H * E,
      scale: E ** -0.5,
      CAUSAL: causal,
    }),
    tolerance: 2e-5,
    small: { B: 2, T: 9, S: 9 },
  },
);
