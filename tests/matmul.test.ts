import { ACTIVATIONS } from "../src/kernels/activation.js";
import { matmul } from "../src/kernels/index.js";
import { args, brain, half, i4, i8, values } from "./matmul.args.js";
import { checkKernel, checkTunings, f16, f32, type Table } from "./support/kernel.js";

const { relu, gelu, gelu_tanh, silu, tanh } = ACTIVATIONS;

const table: Table<"x" | "weight" | "bias" | "residual" | "gamma" | "beta" | "status", "y"> = {
  args,
  values,
  variants: ["cpu", "matrix.f16", "shared", "direct"],
  tolerance: 2e-6, // measured 9e-7, whatever the format
  // long sums have more, one input at a time (shared) above all: measured 1.2e-5
  cases: {
    "i4, gated, silu, residual, window": {
      N: 10,
      I: 96,
      O: 37,
      Y: 44,
      y_at: 5,
      format: i4,
      activation: silu.code,
      gated: 1,
      residual: 1,
      tolerance: 1e-5,
    },
    "one element": { N: 1, I: 4, O: 1 },
    "one short of a tile": { N: 7, I: 12, O: 63 },
    "one over a tile": { N: 9, I: 12, O: 65 },
    "a lane that ends in its first half": { N: 9, I: 8, O: 11 },
    "a lane that ends in its second half": { N: 16, I: 8, O: 14 },
    "a sum in slices, no multiple of them": { N: 11, I: 268, O: 6 },
    "twelve rows a tile, one over, gelu, status 1": { N: 97, I: 16, O: 9, activation: gelu.code, status: 1 },
    "one short, gelu": { N: 107, I: 16, O: 7, activation: gelu.code, status: 1 },
    "status 0 writes nothing": { N: 97, I: 8, O: 3, activation: gelu.code, status: 0 },
    "gelu at its ends": { N: 107, I: 8, O: 8, activation: gelu.code, status: 1, gain: 50, tolerance: 1e-5 },
    "f16, gelu (tanh), residual": { N: 17, I: 64, O: 24, format: half, activation: gelu_tanh.code, residual: 1 },
    "gelu (tanh) at its ends": {
      N: 17,
      I: 8,
      O: 8,
      format: half,
      activation: gelu_tanh.code,
      residual: 1,
      gain: 50,
      tolerance: 1e-5,
    },
    "silu at its ends": {
      N: 10,
      I: 32,
      O: 13,
      format: i4,
      activation: silu.code,
      gated: 1,
      residual: 1,
      gain: 200,
      tolerance: 1e-5,
    },
    tanh: { N: 10, I: 16, O: 13, activation: tanh.code },
    "tanh at its ends": { N: 10, I: 8, O: 13, activation: tanh.code, gain: 50 },
    "f16, twelve rows a tile, relu, no bias, residual": {
      N: 96,
      I: 20,
      O: 70,
      format: half,
      activation: relu.code,
      bias: 0,
      residual: 1,
    },
    "i8, window": { N: 33, I: 32, O: 34, Y: 70, y_at: 36, format: i8 },
    "i8, many groups": { N: 12, I: 1088, O: 9, format: i8, tolerance: 2e-5 },
    "a long sum": { N: 12, I: 1024, O: 8, tolerance: 5e-6 },
    "far from zero": { N: 12, I: 256, O: 8, offset: 1000, tolerance: 1e-5 },
    "one input": { node: 1, N: 9, I: 1, O: 2 },
    "two inputs, bf16": { N: 10, I: 2, O: 5, format: brain },
    "three inputs, f16, gated": { node: 1, N: 12, I: 3, O: 7, format: half, gated: 1, activation: silu.code },
    "five inputs, i8": { node: 1, N: 20, I: 5, O: 3, format: i8 },
    "seven inputs, i4": { node: 1, N: 9, I: 7, O: 12, format: i4 },
    "twelve inputs, i8, of which a group is short": { node: 1, N: 13, I: 12, O: 20, format: i8 },
    "bf16, twelve rows a tile": { N: 97, I: 64, O: 30, format: brain },
    "30 inputs, f16": { N: 12, I: 30, O: 99, format: half },
    "37 inputs": { N: 99, I: 37, O: 90 },
    "37 inputs, bf16, residual, window": { node: 1, N: 13, I: 37, O: 30, Y: 37, y_at: 5, format: brain, residual: 1 },
    "90 inputs, gelu": { node: 1, N: 30, I: 90, O: 37, activation: gelu.code },
    "99 inputs, i8": { N: 37, I: 99, O: 5, format: i8, tolerance: 5e-6 },
    "99 inputs, i4, gated": { N: 12, I: 99, O: 31, format: i4, gated: 1, tolerance: 1e-5 },
    "100 inputs, i4": { node: 1, N: 100, I: 100, O: 33, format: i4, tolerance: 5e-6 },
    "100 inputs, i8": { node: 1, N: 12, I: 100, O: 7, format: i8, tolerance: 5e-6 },
    "an odd sum in slices": { N: 11, I: 267, O: 6, tolerance: 5e-6 },
    "a NaN, relu": { node: 1, N: 13, I: 12, O: 9, activation: relu.code, special: NaN },
    "a NaN, gelu": { node: 1, N: 13, I: 8, O: 9, activation: gelu.code, special: NaN },
    "a NaN, gelu (tanh)": { node: 1, N: 12, I: 8, O: 9, activation: gelu_tanh.code, special: NaN },
    "a NaN, gated, silu": { node: 1, N: 12, I: 8, O: 9, gated: 1, activation: silu.code, special: NaN },
    "a NaN, tanh, behind an odd row": { N: 13, I: 37, O: 9, activation: tanh.code, special: NaN },
    "a NaN behind a short group": { node: 1, N: 13, I: 37, O: 9, format: i8, special: NaN },
    "a NaN behind a short group of whole fours": { node: 1, N: 13, I: 36, O: 9, format: i4, special: NaN },
    "an infinity": { node: 1, N: 13, I: 5, O: 9, special: Infinity },
    "odd rows past 65535": { N: 65539, I: 3, O: 3 },
    "rows past 65535": { N: 65539, I: 4, O: 3, activation: gelu.code, status: 1 },
  },
  mutants: {
    direct: {
      "a short group that reads on": [
        "a NaN behind a short group",
        (wgsl) => wgsl.replace("min(first + GROUP, inputs() / CHUNK)", "first + GROUP"),
      ],
      "groups that run on into the next row": [
        "100 inputs, i8",
        (wgsl) => wgsl.replace("groups() * GROUP", "inputs() / CHUNK"),
      ],
      "a relu that drops NaN": [
        "a NaN, relu",
        (wgsl) => wgsl.replace("select(activation(v), v,", "select(activation(v), activation(v),"),
      ],
      "rows past the end": [
        "gelu (tanh) at its ends",
        (wgsl) => wgsl.replace("k < min(ROWS, params.N - n)", "k < ROWS"),
      ],
      "a second half only when whole": [
        "tanh at its ends",
        (wgsl) => wgsl.replace("if (o + 4 < outputs())", "if (o + 8 <= outputs())"),
      ],
      "tiles rounded down": [
        "gelu (tanh) at its ends",
        (wgsl) => wgsl.replace("(params.N + ROWS - 1) / ROWS", "params.N / ROWS"),
      ],
      "a weight row read twice": [
        "gelu (tanh) at its ends",
        (wgsl) => wgsl.replace("let w4 = (o + min(4u,", "let w4 = (o + min(3u,"),
      ],
      "a scale of another output": ["silu at its ends", (wgsl) => wgsl.replace("t.y * load(w5", "t.x * load(w5")],
      "the bias after the activation": [
        "gelu (tanh) at its ends",
        (wgsl) => wgsl.replace("activate(z)", "activate(acc) + z - acc"),
      ],
      "a gate that is not activated": ["silu at its ends", (wgsl) => wgsl.replace("v.x * z.y", "z.x * z.y")],
      "a window from the first column": ["i8, window", (wgsl) => wgsl.replace("params.Y + params.y_at", "params.Y")],
      "a gelu without its root of one half": ["one short, gelu", (wgsl) => wgsl.replace("0.70710678", "1.0")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    shared: {
      "a last input left out": ["37 inputs", (wgsl) => wgsl.replaceAll("(params.I + 3) / 4", "params.I / 4")],
      "inputs of the next row": [
        "a NaN, tanh, behind an odd row",
        (wgsl) => wgsl.replace("min(4, params.I - 4 * i)", "4"),
      ],
      "weights of the next output": ["30 inputs, f16", (wgsl) => wgsl.replaceAll("min(4, params.I - 4 * i)", "4")],
      "rows past the end": [
        "a lane that ends in its first half",
        (wgsl) => wgsl.replace("min(4u, params.N - n)", "4u").replaceAll("n + k < params.N", "n + k <= params.N"),
      ],
      "tiles rounded down": ["gelu at its ends", (wgsl) => wgsl.replace("(params.N + 4 * HEIGHT - 1)", "params.N")],
      "a slice left out": ["far from zero", (wgsl) => wgsl.replace("t < SPLIT", "t < SPLIT - 1")],
      "the last inputs left out": [
        "a lane that ends in its second half",
        (wgsl) => wgsl.replace("width - min(width,", "width - min(width, 1 +"),
      ],
      "fours in the wrong place": [
        "a lane that ends in its second half",
        (wgsl) => wgsl.replace("four(k, j, a)", "four(k, j ^ 1, a)"),
      ],
      "blocks that are not transposed": [
        "a lane that ends in its second half",
        (wgsl) =>
          wgsl.replace("transpose(weights4(o0 + 4 * (four - HEIGHT), i))", "weights4(o0 + 4 * (four - HEIGHT), i)"),
      ],
      "outputs of another slice": [
        "far from zero",
        (wgsl) => wgsl.replace("let b = slice * PITCH + HEIGHT", "let b = HEIGHT"),
      ],
      "a scale of another output": [
        "silu at its ends",
        (wgsl) => wgsl.replace("scale(o, first) * load(at)", "scale(o + 1, first) * load(at)"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
  },
  refused: {
    "a weight stored [in, out]": [
      { N: 9, I: 8, O: 4 },
      (args) => {
        args.weight = f32([8, 4], () => 1);
      },
      /weight must be f32\|f16\|bf16\|i8\|i4\[J\*O,I\] with J=1, O=4, I=8, got weight f32\[8,4\]/,
    ],
    "a window past the end": [
      { N: 9, I: 8, O: 4, Y: 9, y_at: 6 },
      () => {},
      /y_at \+ O must be at most Y=9, got 6 \+ 4/,
    ],
    "a bias of f16": [
      { N: 9, I: 8, O: 4 },
      (args) => {
        args.bias = f16([4], () => 1);
      },
      /bias must be f32\[J\*Y\]\? with J=1, got bias f16\[4\]/,
    ],
    "a residual of other rows": [
      { N: 9, I: 8, O: 4 },
      (args) => {
        args.residual = f32([8, 4], () => 1);
      },
      /residual must be f32\[N,Y\]\? with N=9, Y=4, got residual f32\[8,4\]/,
    ],
    "a weight that is missing": [
      { N: 9, I: 8, O: 4 },
      (args) => {
        args.weight = undefined;
      },
      /weight must be .*, got nothing/,
    ],
  },
};

checkKernel(matmul, table);
for (const I of [268, 267]) checkTunings(matmul, table, "shared", { N: 70, I, O: 67, tolerance: 1.5e-5 });
