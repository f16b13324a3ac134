import { embed } from "../src/kernels/index.js";
import { GUARD_WORD } from "../src/runtime/memory.js";
import { args, brain, half, i4, i8, values } from "./embed.args.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(embed, {
  args,
  values,
  tolerance: 2e-7, // measured 6e-8
  cases: {
    "one row of four": { N: 1, D: 4 },
    "a scale and a shift": { N: 5, D: 12, scale: 22.627, shift: 2 },
    "a token without a position": { N: 12, D: 12, first: 20, unplaced: 24, shift: 2 },
    "norm, a token without a position": { node: 1, N: 12, D: 5, unplaced: 4, norm: 1, tolerance: 2e-6 },
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
    "one number": { node: 1, N: 3, D: 1, positions: 0 },
    "two numbers, f16": { node: 1, N: 12, D: 2, format: half, positions: 0 },
    "three numbers, bf16, norm": { N: 13, D: 3, V: 7, format: brain, norm: 1, positions: 0, tolerance: 2e-6 },
    bf16: { N: 12, D: 20, format: brain },
    "five numbers, norm": { node: 1, N: 7, D: 5, norm: 1, positions: 0, tolerance: 2e-6 },
    "an odd width": { N: 12, D: 37, V: 99, segments: 1, scale: 3 },
    "an odd width, f16, second part": { N: 23, D: 37, format: half, first: 20, parted: 3, scale: 2 },
    "an odd width, norm, a few rows": { node: 1, N: 7, D: 131, norm: 1, segments: 1, format: half, tolerance: 2e-6 },
    "twice an odd width, norm": { node: 1, N: 66, D: 90, norm: 1, shift: 2, tolerance: 2e-6 },
    "i8, a short group": { node: 1, N: 12, D: 100, format: i8 },
    "i8, an odd width": { N: 12, D: 37, format: i8, scale: 2 },
    "i4, an odd width, norm": { N: 12, D: 99, format: i4, norm: 1, tolerance: 2e-6 },
    "ids past the table": { N: 14, D: 8, beyond: 3 },
    "ids past an odd table, norm": { N: 14, D: 131, beyond: 3, norm: 1, tolerance: 2e-6 },
    "ids past a later part": { N: 14, D: 8, first: 11, beyond: 3 },
    "positions past the table": { node: 1, N: 9, D: 100, late: 2 },
    "segments past the table": { node: 1, N: 4, D: 131, segments: 1, afar: 1 },
    "norm, one chunk over the invocations": { N: 3, D: 516, norm: 1, positions: 0, tolerance: 2e-6 },
    "norm, the second part of a table": { N: 23, D: 8, first: 20, parted: 3, norm: 1, tolerance: 2e-6 },
    "norm, status 0 writes nothing": { N: 2, D: 8, norm: 1, status: 0 },
    "one number, norm": { node: 1, N: 3, D: 1, norm: 1, positions: 0, tolerance: 2e-6 },
    "rows past 65535": { N: 65537, D: 4 },
    "odd rows past 65535": { N: 65537, D: 3, positions: 0 },
  },
  mutants: {
    direct: {
      "a forgotten scale": ["f16", (wgsl) => wgsl.replace("* params.scale", "* 1.0")],
      "a forgotten shift": ["all of it, a few rows", (wgsl) => wgsl.replace("row.y + params.shift", "row.y")],
      "a position for every token": [
        "a token without a position",
        (wgsl) => wgsl.replace("row.x == params.unplaced", "false"),
      ],
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
      "a token row that ignores d": ["norm far from zero", (wgsl) => wgsl.replace("* stride() + d)", "* stride())")],
      "ids past the table that leave their row": [
        "ids past the table",
        (wgsl) => wgsl.replace("&& params.first > 0u", ""),
      ],
      "a later part that fills the rows of others": [
        "ids past a later part",
        (wgsl) => wgsl.replace("params.first > 0u", "false"),
      ],
      "positions past the table that read on": [
        "positions past the table",
        (wgsl) => wgsl.replace(" && inside(row, params.D / CHUNK)", ""),
      ],
      "segments past the table that read on": [
        "segments past the table",
        (wgsl) => wgsl.replace(" && inside(row, params.D / CHUNK)", ""),
      ],
      "an odd row with an end of fours": [
        "an odd width",
        (wgsl) => wgsl.replaceAll("params.D / CHUNK", "params.D / 4u"),
      ],
      "groups that run on into the next row": [
        "i8, a short group",
        (wgsl) => wgsl.replace("groups() * GROUP", "inputs() / CHUNK"),
      ],
      "a part that takes every id": [
        "the second part of a table, with ids of the first",
        (wgsl) =>
          wgsl
            .replace("row.x - params.first < params.V", "row.x < params.first + params.V")
            .replace("row.x - params.first >= params.V", "row.x >= params.first + params.V"),
      ],
      "the first segment for all": ["norm far from zero", (wgsl) => wgsl.replace("row.w * width", "0u * width")],
      "a variance around zero": [
        "norm far from zero",
        (wgsl) => wgsl.replace("let centred = embedding(row, d) - mean;", "let centred = embedding(row, d);"),
      ],
      "a norm without eps or mean": ["norm far from zero", (wgsl) => wgsl.replace("(y - mean) * rstd", "y * rstd")],
      "slices that end after one": [
        "norm far from zero",
        (wgsl) => wgsl.replace("d < width; d += SLICES", "d < min(width, SLICES); d += SLICES"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
    shared: {
      "a sum that forgets invocations": ["norm far from zero", (wgsl) => wgsl.replace("stride > 0", "stride > 1")],
      "a variance around zero": ["norm far from zero", (wgsl) => wgsl.replace("e[i] - mean;", "e[i];")],
      "chunks that are left out": [
        "all of it, a few rows",
        (wgsl) => wgsl.replaceAll("i < CHUNKS", "i < max(CHUNKS - 1u, 1u)"),
      ],
      "the first row for all": ["norm", (wgsl) => wgsl.replace("rows[min(n, params.N - 1u)]", "rows[0]")],
      "a row past the end": ["one number, norm", (wgsl) => wgsl.replace("n < params.N &&", "n < params.N + 1u &&")],
      "ids past the table that are taken": [
        "ids past an odd table, norm",
        (wgsl) => wgsl.replace("select(unknown(), e[i], known)", "e[i]"),
      ],
      "a later part that fills the rows of others": [
        "norm, the second part of a table",
        (wgsl) => wgsl.replace("params.first > 0u", "false"),
      ],
      "a stop that is not heeded": [
        "norm, status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
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
    "a table of a wrong format": [
      { N: 2, D: 8 },
      (args) => {
        args.weight = u32([11, 8], () => 1);
      },
      /weight must be f32\|f16\|bf16\|i8\|i4\[V,D\], got weight u32\[11,8\]/,
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
