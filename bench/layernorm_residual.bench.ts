import { layernormResidual } from "../src/kernels/index.js";
import { args, values } from "../tests/layernorm_residual.args.js";
import { benchKernel } from "./support/kernel_bench.js";

export const bench = benchKernel(
  layernormResidual,
  {
    "g2p-en B=1 W=4": { N: 4, D: 256 },
    "g2p-en B=64 W=4": { N: 256, D: 256 },
    "marian-base B=1 W=4": { N: 4, D: 512 },
    "marian-base B=32 W=4": { N: 128, D: 512 },
    "bert-base N=128": { N: 128, D: 768 },
    "bert-base N=512": { N: 512, D: 768 },
    "bert-base N=512 alone": { N: 512, D: 768, residual: 0 },
    "bert-base N=4096": { N: 4096, D: 768 },
    "bert-base N=4096 alone": { N: 4096, D: 768, residual: 0 },
    "gpt2 B=1 alone": { N: 1, D: 768, residual: 0 },
    "llama-1b B=1 alone": { N: 1, D: 2048, residual: 0, rms: 1 },
    "llama-1b N=512 alone": { N: 512, D: 2048, residual: 0, rms: 1 },
    "llama-1b N=4096 alone": { N: 4096, D: 2048, residual: 0, rms: 1 },
  },
  { args, values, tolerance: 2e-5, small: { D: 256 } },
);
