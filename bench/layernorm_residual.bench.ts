import { layernormResidual } from "../src/kernels/index.js";
import { benchKernel, f32, noise } from "./support/harness.js";

export const bench = benchKernel(
  layernormResidual,
  {
    "g2p-en B=1 W=4": { N: 4, D: 256 },
    "g2p-en B=64 W=4": { N: 256, D: 256 },
    "marian-base B=1 W=4": { N: 4, D: 512 },
    "marian-base B=32 W=4": { N: 128, D: 512 },
    "bert-base N=128": { N: 128, D: 768 },
    "bert-base N=512": { N: 512, D: 768 },
    "bert-base N=512 with residual": { N: 512, D: 768, residual: 1 },
    "bert-base N=4096": { N: 4096, D: 768 },
    "bert-base N=4096 with residual": { N: 4096, D: 768, residual: 1 },
    "gpt2 B=1": { N: 1, D: 768 },
  },
  {
    args: ({ N, D, residual = 0 }, random) => ({
      x: noise("f32", [N, D], random),
      residual: residual ? noise("f32", [N, D], random) : undefined,
      gamma: f32([D], random),
      beta: f32([D], random),
      sum: residual ? f32([N, D], () => 0) : undefined,
    }),
    values: () => ({ eps: 1e-5 }),
    tolerance: 2e-5,
    small: { D: 256 },
  },
);
