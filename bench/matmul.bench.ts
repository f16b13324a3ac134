import { matmul } from "../src/kernels/index.js";
import { benchKernel } from "./harness.js";
import { build, layersOf } from "./linear.js";

export const bench = benchKernel(matmul, {
  ...layersOf("g2p-en B=64 W=4", { N: 256, D: 256, F: 1024, V: 101 }),
  ...layersOf("marian-base B=32 W=4", { N: 128, D: 512, F: 2048, V: 58101 }),
  ...layersOf("bert-base N=128", { N: 128, D: 768, F: 3072 }),
  ...layersOf("bert-base N=512", { N: 512, D: 768, F: 3072 }),
}, build);
