import { embed } from "../src/kernels/index.js";
import { args, values } from "../tests/embed.args.js";
import { benchKernel } from "./support/kernel_bench.js";
import { inFormats } from "./support/linear.js";

const shapes = {
  "g2p-en B=1 W=4": { N: 4, D: 256, V: 101, P: 64, scale: Math.sqrt(256), scattered: 1 },
  "marian-base B=1 W=4": { N: 4, D: 512, V: 58101, P: 512, scale: Math.sqrt(512), scattered: 1 },
  "marian-base B=32 W=4": { N: 128, D: 512, V: 58101, P: 512, scale: Math.sqrt(512), scattered: 1 },
  "bert-base N=128": { N: 128, D: 768, V: 30522, P: 512, segments: 1, norm: 1, scattered: 1 },
  "bert-base N=512": { N: 512, D: 768, V: 30522, P: 512, segments: 1, norm: 1, scattered: 1 },
  // half of its vocabulary, which in f32 does not fit one binding
  "gpt2 B=1": { N: 1, D: 768, V: 25000, P: 1024, scattered: 1 },
};

export const bench = benchKernel(embed, inFormats(shapes, "f32", "f16"), { args, values, tolerance: 1e-5, small: {} });
