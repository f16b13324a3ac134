import { topk } from "../src/kernels/index.js";
import { benchKernel, noise } from "./harness.js";

// G and C as a decoding session chooses them.
export const bench = benchKernel(topk, {
  "g2p-en B=1 greedy": { R: 1, V: 101, G: 25, C: 1 },
  "g2p-en B=1 W=4": { R: 4, V: 101, G: 3, C: 8 },
  "g2p-en B=64 W=4": { R: 256, V: 101, G: 2, C: 8 },
  "marian-base B=1 W=4": { R: 4, V: 58101, G: 128, C: 8 },
  "marian-base B=32 W=4": { R: 128, V: 58101, G: 4, C: 8 },
  "gpt2 B=1 greedy": { R: 1, V: 50257, G: 512, C: 1 },
}, {
  args: ({ R, V }, random) => ({ logits: noise("f32", [R, V], () => 8 * random()) }),
  values: ({ G, C }) => ({ G, C }),
  tolerance: 1e-4,
  small: { V: 997 },
});
