import { matvec } from "../src/kernels/index.js";
import { benchKernel } from "./support/harness.js";
import { build, inFormats, layersOf } from "./support/linear.js";

const llama = layersOf("llama-1b N=1", { N: 1, D: 2048, F: 8192, KV: 2 * 8 * 64, gated: 1 });

export const bench = benchKernel(
  matvec,
  {
    ...inFormats({ "2048 squared": { N: 1, I: 2048, O: 2048 } }),
    ...inFormats(layersOf("g2p-en B=1 W=4", { N: 4, D: 256, F: 1024 }), "f32"),
    ...inFormats(layersOf("marian-base B=1 W=4", { N: 4, D: 512, F: 2048 }), "f32", "i8"),
    ...inFormats({ "marian-base B=1 W=4 lm_head": { N: 4, I: 512, O: 58101 } }),
    ...inFormats(layersOf("gpt2 N=1", { N: 1, D: 768, F: 3072 }), "f32", "i8"),
    ...inFormats(layersOf("gpt2 N=8", { N: 8, D: 768, F: 3072 }), "f32"),
    ...inFormats({ "gpt2 N=1 lm_head": { N: 1, I: 768, O: 50257 } }),
    ...inFormats(llama, "f16", "i8", "i4"),
  },
  { ...build, values: (size) => ({ ...build.values(size), eps: 1e-5 }) },
);
