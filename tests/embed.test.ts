import { embed } from "../src/kernels/index.js";
import { GUARD_WORD } from "../src/runtime/memory.js";
import { args, half, values } from "./embed.args.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(embed, {
  args,
  values,
  tolerance: 2e-7, // measured 6e-8
  cases: {
    "one row of four": { N: 1, D: 4 },
    "a scale and a shift": { N: 5, D: 12, scale: 22.627, shift: 2 },
    "no positions": { N: 3, D: 8, scale: 3, positions: 0 },
    f16: { N: 12, D: 20, format: half, scale: 1.5 },
    "one short of a workgroup": { N: 63, D: 4 },
    "one over a workgroup": { N: 65, D: 4, format: half },
    "far from zero": { N: 5, D: 768, offset: 1000, scale: 16 },
    "status 1 goes on": { N: 2, D: 8, status: 1 },
    "status 0 writes nothing": { N: 2, D: 8, status: 0 },
    segments: { N: 5, D: 8, segments: 1 },
    "the second part of a table, with ids of the first": { N: 23, D: 8, first: 20, parted: 3 },
    "a part that holds the guard word as an id": { N: 63, D: 4, first: GUARD_WORD - 3, positions: 0 },
    norm: { N: 5, D: 12, norm: 1, tolerance: 2e-6 }, // measured 3e-7
    "norm without beta": { N: 5, D: 12, norm: 1, beta: 0, tolerance: 2e-6 },
    "all of it, a few rows": { N: 7, D: 192, norm: 1, segments: 1, shift: 2, scale: 3, format: half, tolerance: 2e-6 },
    "all of it, one over 64 rows": { N: 65, D: 128, norm: 1, segments: 1, tolerance: 2e-6 },
    "norm far from zero": { N: 5, D: 256, norm: 1, segments: 1, offset: 100, tolerance: 2e-4 }, // measured 5e-5: sums near 300 leave 2e-5 in f32
    "rows past 65535": { N: 65537, D: 4 },
  },
  mutants: {
    direct: {
      "a forgotten scale": ["f16", (wgsl) => wgsl.replace("* params.scale", "* 1.0")],
      "a forgotten shift": ["all of it, a few rows", (wgsl) => wgsl.replace("row.y + params.shift", "row.y")],
      "a guard that is one row late": [
        "a part that holds the guard word as an id",
        (wgsl) => wgsl.replace("n >= params.N", "n > params.N"),
      ],
      "halves in the wrong order": [
        "f16",
        (wgsl) => wgsl.replace("(h.x), unpack2x16float(h.y)", "(h.y), unpack2x16float(h.x)"),
      ],
      "the sentence as its position": [
        "one short of a workgroup",
        (wgsl) => wgsl.replace("row.y + params.shift", "row.z + params.shift"),
      ],
      "a token row that ignores d": [
        "norm far from zero",
        (wgsl) => wgsl.replace("* width + d) * params.scale", "* width) * params.scale"),
      ],
      "a part that takes every id": [
        "the second part of a table, with ids of the first",
        (wgsl) => wgsl.replace("row.x - params.first >= params.V", "row.x >= params.first + params.V"),
      ],
      "the first segment for all": ["norm far from zero", (wgsl) => wgsl.replace("row.w * width", "0u * width")],
      "a variance around zero": [
        "norm far from zero",
        (wgsl) => wgsl.replace("let centred = embedding(row, d) - mean;", "let centred = embedding(row, d);"),
      ],
      "a norm without eps or mean": [
        "norm far from zero",
        (wgsl) => wgsl.replace("(value - mean) * rstd", "value * rstd"),
      ],
      "slices that end after one": [
        "norm far from zero",
        (wgsl) => wgsl.replace("d < width; d += SLICES", "d < min(width, SLICES); d += SLICES"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == 0u", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "positions of another width": [
      { N: 2, D: 8 },
      (args) => {
        args.positions = f32([9, 4], () => 1);
      },
      /positions must be f32\[P,D\]\? with P=9, D=8, got positions f32\[9,4\]/,
    ],
    "beta without gamma": [{ N: 2, D: 8, beta: 1 }, () => {}, /gamma must be given where beta is/],
    "a width that is no multiple of 4": [{ N: 2, D: 6 }, () => {}, /D must be a multiple of 4, got 6/],
    "tokens of a wrong format": [
      { N: 2, D: 8 },
      (args) => {
        args.tokens = u32([11, 8], () => 1);
      },
      /tokens must be f32\|f16\[V,D\], got tokens u32\[11,8\]/,
    ],
    "rows of three fields": [
      { N: 2, D: 8 },
      (args) => {
        args.rows = u32([2, 3], () => 0);
      },
      /rows must be u32\[N,4\] with N=2, got rows u32\[2,3\]/,
    ],
    "rows that are missing": [
      { N: 2, D: 8 },
      (args) => {
        args.rows = undefined;
      },
      /rows must be u32\[N,4\], got nothing/,
    ],
  },
});
