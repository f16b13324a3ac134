import { POOLING, pooling } from "../src/kernels/pooling.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

const { mean, max } = POOLING;

checkKernel(pooling, {
  // sentence b has b % L + 1 rows, with a row of nobody's before each
  args: ({ B, D, L, offset = 0, zero = 0 }, random) => {
    const spans: number[] = [];
    let first = 0;
    for (let b = 0; b < B; b++) {
      spans.push(first + 1, (b % L) + 1);
      first += (b % L) + 2;
    }
    return { x: f32([first, D], () => (zero ? 0 : random() + offset)), spans: u32([B, 2], (i) => spans[i]) };
  },
  values: ({ mode = 0, normalize = 0 }) => ({ MODE: mode, NORMALIZE: normalize }),
  tolerance: 3e-7, // measured 1e-7
  cases: {
    "the first row": { B: 3, D: 8, L: 3 },
    "one sentence of one row, mean": { B: 1, D: 4, L: 1, mode: mean },
    mean: { B: 5, D: 20, L: 4, mode: mean },
    max: { B: 5, D: 20, L: 4, mode: max },
    "max of negative numbers": { B: 5, D: 12, L: 4, mode: max, offset: -5 },
    "one short of a workgroup, mean": { B: 63, D: 4, L: 2, mode: mean },
    "one over a workgroup, max": { B: 65, D: 4, L: 2, mode: max },
    "the first row, normalised": { B: 3, D: 260, L: 3, normalize: 1 },
    "mean, normalised": { B: 4, D: 384, L: 3, mode: mean, normalize: 1 },
    "zeros, normalised": { B: 2, D: 8, L: 2, mode: mean, normalize: 1, zero: 1 },
    "far from zero": { B: 2, D: 8, L: 40, mode: mean, offset: 1000 },
    "sentences past 65535": { B: 65537, D: 4, L: 1, mode: mean },
  },
  mutants: {
    direct: {
      "a sum": (wgsl) => wgsl.replace("value / f32(span.y)", "value"),
      "sentences that all start at the first row": (wgsl) => wgsl.replace("span.x + t", "t"),
      "a last row left out": (wgsl) => wgsl.replace("t < span.y", "t + 1u < span.y"),
      "a maximum with zero": (wgsl) => wgsl.replace("max(value, other)", "max(max(value, other), vec4f(0.0))"),
      "squares of the last four alone": (wgsl) => wgsl.replace("squares += dot", "squares = dot"),
      "zero divided by zero": (wgsl) => wgsl.replace("max(sqrt(squares), 1e-12)", "sqrt(squares)"),
    },
    shared: {
      "squares of one lane": (wgsl) => wgsl.replace("total += partial[other]", "total = partial[other]"),
      "lanes that stop after one": (wgsl) =>
        wgsl.replace(
          "for (var d = lane; d < width; d += 64u) {\n    let",
          "for (var d = lane; d < min(width, 64u); d += 64u) {\n    let",
        ),
    },
  },
  refused: {
    "a width that is no multiple of 4": [{ B: 1, D: 6, L: 1 }, () => {}, /D must be a multiple of 4, got 6/],
    "spans of a wrong format": [
      { B: 1, D: 4, L: 1 },
      (args) => {
        args.spans = f32([1, 2], () => 0);
      },
      /spans must be u32\[B,2\], got spans f32\[1,2\]/,
    ],
  },
});
