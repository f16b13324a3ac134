import { matmul } from "../src/kernels/index.js";
import { benchKernel } from "./support/harness.js";
import { build, inFormats, layersOf } from "./support/linear.js";

const marian = layersOf("marian-base B=32 W=4", { N: 128, D: 512, F: 2048 });
const bert = layersOf("bert-base N=512", { N: 512, D: 768, F: 3072 });

export const bench = benchKernel(
  matmul,
  {
    ...inFormats({ "512 cubed": { N: 512, I: 512, O: 512 }, "1024 cubed": { N: 1024, I: 1024, O: 1024 } }),
    ...inFormats(layersOf("g2p-en B=64 W=4", { N: 256, D: 256, F: 1024 }), "f32"),
    ...inFormats(marian, "f32", "i8"),
    ...inFormats({ "marian-base B=32 W=4 lm_head": { N: 128, I: 512, O: 58101 } }, "f32", "i8"),
    ...inFormats(layersOf("bert-base N=128", { N: 128, D: 768, F: 3072 }), "f32"),
    ...inFormats(bert, "f32", "f16"),
  },
  build,
);
