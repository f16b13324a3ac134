import { embed } from "../src/kernels/index.js";
import { benchKernel, bothFormats, noise, u32 } from "./support/harness.js";

export const bench = benchKernel(
  embed,
  bothFormats({
    "g2p-en B=1 W=4": { N: 4, D: 256, V: 101, P: 64 },
    "marian-base B=1 W=4": { N: 4, D: 512, V: 58101, P: 512 },
    "marian-base B=32 W=4": { N: 128, D: 512, V: 58101, P: 512 },
    "bert-base N=128": { N: 128, D: 768, V: 30522, P: 512, U: 2 },
    "bert-base N=512": { N: 512, D: 768, V: 30522, P: 512, U: 2 },
    "gpt2 B=1": { N: 1, D: 768, V: 25000, P: 1024 }, // half of its vocabulary, which in f32 does not fit one binding
  }),
  {
    args: ({ N, D, V, P, U = 0, half }, random) => ({
      rows: u32([N, 4], (i) => [Math.floor((random() + 1) * 0.5 * V), Math.floor(i / 4) % P, 0, 0][i % 4]),
      tokens: noise(half ? "f16" : "f32", [V, D], random),
      positions: noise("f32", [P, D], random),
      segments: U ? noise("f32", [U, D], random) : undefined,
      gamma: U ? noise("f32", [D], random) : undefined,
      beta: U ? noise("f32", [D], random) : undefined,
    }),
    values: ({ D }) => ({ first: 0, shift: 0, scale: Math.sqrt(D), eps: 1e-12 }),
    tolerance: 1e-5,
    small: {},
  },
);
