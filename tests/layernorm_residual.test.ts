import { layernormResidual } from "../src/kernels/index.js";
import { checkKernel, f32 } from "./kernel.js";

checkKernel(layernormResidual, {
  args: ({ N, D, offset = 0, residual = 1 }, random) => ({
    x: f32([N, D], () => random() + offset),
    residual: residual ? f32([N, D], random) : undefined,
    gamma: f32([D], random),
    beta: f32([D], random),
    sum: residual ? f32([N, D], () => 0) : undefined,
  }),
  values: () => ({ eps: 1e-5 }),
  tolerance: 2e-5, // measured 3e-6
  cases: {
    "one element of four": { N: 1, D: 4 },
    "no residual": { N: 3, D: 64, residual: 0 },
    "one row in slices": { N: 1, D: 256 },
    "slices that do not divide the row": { N: 3, D: 132 },
    "one short of a workgroup": { N: 63, D: 12 },
    "one over a workgroup": { N: 65, D: 12 },
    "many rows, none sliced": { N: 65, D: 256 },
    "rows past 65535": { N: 65537, D: 4 },
    "far from zero": { N: 5, D: 768, offset: 1000, tolerance: 5e-4 },
    "all equal": { N: 2, D: 8, offset: 3, residual: 0 },
  },
  mutants: {
    "a one-pass variance": (wgsl) => wgsl
      .replace("let centred = stream(row + d) - mean;", "let centred = stream(row + d);")
      .replace("/ f32(params.D) + params.eps", "/ f32(params.D) - mean * mean + params.eps"),
    "a guard that is one row late": (wgsl) => wgsl.replace("n >= params.N", "n > params.N"),
    "an unbiased variance": (wgsl) => wgsl.replace("/ f32(params.D) + params.eps", "/ (f32(params.D) - 1.0) + params.eps"),
    "a forgotten residual in the mean": (wgsl) => wgsl.replace("total += stream(row + d);", "total += x[row + d];"),
    "slices that skip the last elements": (wgsl) => wgsl.replace("d < width; d += SLICES", "d < width - 1u; d += SLICES"),
  },
  refused: {
    "gamma of another width": [{ N: 2, D: 8 }, (args) => { args.gamma = f32([4], () => 1); }, /gamma must be f32\[D\] with D=8, got gamma f32\[4\]/],
    "a width that is no multiple of 4": [{ N: 2, D: 6 }, () => {}, /D must be a multiple of 4, got 6/],
    "an argument that is missing": [{ N: 2, D: 8 }, (args) => { args.beta = undefined; }, /beta must be f32\[D\], got nothing/],
  },
});
