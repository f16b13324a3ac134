import { matvec } from "../src/kernels/index.js";
import { benchKernel } from "./harness.js";
import { build, layersOf } from "./linear.js";

export const bench = benchKernel(matvec, {
  ...layersOf("g2p-en B=1 W=4", { N: 4, D: 256, F: 1024, V: 101 }),
  ...layersOf("marian-base B=1 W=4", { N: 4, D: 512, F: 2048, V: 58101 }),
  ...layersOf("gpt2 B=1", { N: 1, D: 768, F: 3072, V: 50257 }),
}, build);
