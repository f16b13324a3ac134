import { rmsnormResidual } from "../src/kernels/index.js";
import { benchKernel, f32, noise } from "./support/harness.js";

export const bench = benchKernel(
  rmsnormResidual,
  {
    "llama-1b B=1": { N: 1, D: 2048 },
    "llama-1b B=1 with residual": { N: 1, D: 2048, residual: 1 },
    "llama-1b B=32 with residual": { N: 32, D: 2048, residual: 1 },
    "llama-1b N=512": { N: 512, D: 2048 },
    "llama-1b N=512 with residual": { N: 512, D: 2048, residual: 1 },
    "llama-1b N=4096": { N: 4096, D: 2048 },
  },
  {
    args: ({ N, D, residual = 0 }, random) => ({
      x: noise("f32", [N, D], random),
      residual: residual ? noise("f32", [N, D], random) : undefined,
      gamma: f32([D], random),
      sum: residual ? f32([N, D], () => 0) : undefined,
    }),
    values: () => ({ eps: 1e-5 }),
    tolerance: 2e-5,
    small: { D: 256 },
  },
);
