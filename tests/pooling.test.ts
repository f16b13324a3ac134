import { POOLING, pooling } from "../src/kernels/pooling.js";
import { args, values } from "./pooling.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

const { mean, max, lasttoken, mean_sqrt_len_tokens: root, weightedmean: weighted } = POOLING;

checkKernel(pooling, {
  args,
  values,
  tolerance: 3e-7, // measured 1e-7
  cases: {
    "the first row": { B: 3, D: 8, most: 3 },
    "one sentence of one row, mean": { B: 1, D: 4, most: 1, mode: mean },
    mean: { B: 5, D: 20, most: 4, mode: mean },
    max: { B: 5, D: 20, most: 4, mode: max },
    "the last row": { B: 5, D: 20, most: 4, mode: lasttoken },
    "the last row, width 7, normalised": { B: 3, D: 7, most: 3, mode: lasttoken, normalize: 1 },
    "sum by the root of the length": { B: 5, D: 20, most: 4, mode: root },
    "weighted mean": { B: 5, D: 20, most: 4, mode: weighted },
    "weighted mean of many rows, normalised": { B: 2, D: 36, most: 70, mode: weighted, normalize: 1, offset: 1 },
    "max of negative numbers": { B: 5, D: 12, most: 4, mode: max, offset: -5 },
    "one short of a workgroup, mean": { B: 63, D: 4, most: 2, mode: mean },
    "one over a workgroup, max": { B: 65, D: 4, most: 2, mode: max },
    "the first row, normalised": { B: 3, D: 260, most: 3, normalize: 1 },
    "mean, normalised": { B: 4, D: 384, most: 3, mode: mean, normalize: 1 },
    "zeros, normalised": { B: 2, D: 8, most: 2, mode: mean, normalize: 1, zero: 1 },
    "far from zero": { B: 2, D: 8, most: 40, mode: mean, offset: 1000 },
    ...Object.fromEntries(
      [1, 2, 3, 5, 6, 7, 10, 30, 37, 90, 99].map((D, i) => [
        `width ${D}`,
        { B: 3, D, most: 3, mode: [mean, max, mean][i % 3], normalize: Number(i % 3 === 0) },
      ]),
    ),
    "the first row, width 7": { B: 3, D: 7, most: 3, normalize: 1 },
    "sentences past 65535": { B: 65537, D: 4, most: 1, mode: mean },
  },
  mutants: {
    direct: {
      "a width of whole fours": [
        "width 7",
        (wgsl) => wgsl.replaceAll("params.D / CHUNK", "params.D / 4u * 4u / CHUNK"),
      ],
      "a sum": ["far from zero", (wgsl) => wgsl.replace("value / count;", "value;")],
      "the row after the last": ["the last row", (wgsl) => wgsl.replace("span.x + span.y - 1u", "span.x + span.y")],
      "a mean for a sum by the root": [
        "sum by the root of the length",
        (wgsl) => wgsl.replace("value / sqrt(count)", "value / count"),
      ],
      "weights from 0": ["weighted mean", (wgsl) => wgsl.replace("f32(t + 1u)", "f32(t)")],
      "sentences that all start at the first row": ["far from zero", (wgsl) => wgsl.replace("span.x + t", "t")],
      "a last row left out": ["far from zero", (wgsl) => wgsl.replace("first < span.y", "first + 1u < span.y")],
      "a maximum with zero": [
        "max of negative numbers",
        (wgsl) => wgsl.replace("max(value, other)", "max(max(value, other), Chunk())"),
      ],
      "squares of the last four alone": [
        "the first row, normalised",
        (wgsl) => wgsl.replace("squares += inner", "squares = inner"),
      ],
      "zero divided by zero": [
        "zeros, normalised",
        (wgsl) => wgsl.replace("max(sqrt(squares), 1e-12)", "sqrt(squares)"),
      ],
    },
    shared: {
      "a width of whole fours": [
        "width 7",
        (wgsl) => wgsl.replaceAll("params.D / CHUNK", "params.D / 4u * 4u / CHUNK"),
      ],
      "squares of one lane": [
        "the first row, normalised",
        (wgsl) => wgsl.replace("total += partial[other]", "total = partial[other]"),
      ],
      "lanes that stop after one": [
        "the first row, normalised",
        (wgsl) =>
          wgsl.replace(
            "for (var d = lane; d < width; d += 64u) {\n    let",
            "for (var d = lane; d < min(width, 64u); d += 64u) {\n    let",
          ),
      ],
    },
  },
  refused: {
    "spans of a wrong format": [
      { B: 1, D: 4, most: 1 },
      (args) => {
        args.spans = f32([1, 2], () => 0);
      },
      /spans must be u32\[B,2\], got spans f32\[1,2\]/,
    ],
  },
});

// As a GPU runs it: several rows in flight.
const unrolled = pooling.variants.map((variant) => ({ ...variant, constants: () => ({ UNROLL: 1 }) })).slice(0, 1);
checkKernel(
  { ...pooling, variants: unrolled },
  {
    args,
    values,
    tolerance: 3e-7, // measured 1e-7
    cases: {
      "unrolled: mean": { B: 18, D: 20, most: 18, mode: mean },
      "unrolled: max": { B: 18, D: 20, most: 18, mode: max, offset: -5 },
      "unrolled: weighted mean": { B: 18, D: 7, most: 18, mode: weighted, normalize: 1 },
    },
    mutants: {
      shared: {
        "rows past the end that count": ["unrolled: mean", (wgsl) => wgsl.replace("t < first + i)", "false)")],
        "rows that are left out": ["unrolled: max", (wgsl) => wgsl.replace("i < ROWS", "i + 1u < ROWS")],
        "weights of other rows": ["unrolled: weighted mean", (wgsl) => wgsl.replace("f32(t + 1u)", "f32(first + 1u)")],
      },
    },
    refused: {},
  },
);
