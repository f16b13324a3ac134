import { matmul } from "../src/kernels/index.js";
import { args, values } from "../tests/matmul.args.js";
import { benchKernel } from "./support/kernel_bench.js";
import { inFormats, layersOf } from "./support/linear.js";

/** Few rows: decode steps. */
const rows = {
  ...inFormats({ "2048 squared": { N: 1, I: 2048, O: 2048 } }),
  ...inFormats(layersOf("g2p-en B=1 W=4", { N: 4, D: 256, F: 1024 }), "f32"),
  ...inFormats(layersOf("marian-base B=1 W=4", { N: 4, D: 512, F: 2048 }), "f32", "i8"),
  ...inFormats({ "marian-base B=1 W=4 lm_head": { N: 4, I: 512, O: 58101 } }),
  ...inFormats(layersOf("gpt2 N=1", { N: 1, D: 768, F: 3072 }), "f32", "i8"),
  ...inFormats(layersOf("gpt2 N=8", { N: 8, D: 768, F: 3072 }), "f32"),
  ...inFormats({ "gpt2 N=1 lm_head": { N: 1, I: 768, O: 50257 } }),
  ...inFormats(layersOf("llama-1b N=1", { N: 1, D: 2048, F: 8192, KV: 2 * 8 * 64, gated: 1 }), "f16", "i8", "i4"),
};

/** Many rows: batches and prompts. */
const tiles = {
  ...inFormats({ "512 cubed": { N: 512, I: 512, O: 512 }, "1024 cubed": { N: 1024, I: 1024, O: 1024 } }),
  ...inFormats(layersOf("g2p-en B=64 W=4", { N: 256, D: 256, F: 1024 }), "f32"),
  ...inFormats(layersOf("marian-base B=32 W=4", { N: 128, D: 512, F: 2048 }), "f32", "i8"),
  ...inFormats({ "marian-base B=32 W=4 lm_head": { N: 128, I: 512, O: 58101 } }, "f32", "i8"),
  ...inFormats(layersOf("bert-base N=128", { N: 128, D: 768, F: 3072 }), "f32"),
  ...inFormats(layersOf("bert-base N=512", { N: 512, D: 768, F: 3072 }), "f32", "f16"),
};

export const bench = benchKernel(
  matmul,
  { ...rows, ...tiles },
  { args, values, tolerance: 1e-4, small: { I: 64, O: 72 } },
);
