import { ACTIVATIONS } from "../src/kernels/activation.js";
import { matmul } from "../src/kernels/index.js";
import { NORM } from "../src/kernels/matmul.js";
import { args, brain, half, i4, i8, values } from "./matmul.args.js";
import { checkKernel, checkTunings, f16, f32, type Table } from "./support/kernel.js";

const { relu, gelu, gelu_tanh, silu, tanh } = ACTIVATIONS;
const { layernorm, rmsnorm } = NORM;

const table: Table<"x" | "weight" | "bias" | "residual" | "gamma" | "beta" | "status", "y"> = {
  args,
  values,
  variants: ["rows.direct", "rows.shared", "rows.subgroup"],
  tolerance: 1e-6, // measured 9e-7, whatever the format
  // long sums, and a gate times another, have more: measured 5e-6
  cases: {
    "i8, layernorm, gated, silu, residual, window": {
      N: 2,
      I: 224,
      O: 19,
      Y: 26,
      y_at: 5,
      format: i8,
      activation: silu.code,
      gated: 1,
      residual: 1,
      norm: layernorm,
      gamma: 1,
      beta: 1,
      gain: 2,
      offset: 3,
      status: 1,
      tolerance: 1e-5,
    },
    "status 0 writes nothing": {
      N: 2,
      I: 224,
      O: 3,
      Y: 8,
      y_at: 5,
      format: i8,
      activation: silu.code,
      gated: 1,
      residual: 1,
      norm: layernorm,
      gamma: 1,
      beta: 1,
      status: 0,
    },
    "one element": { N: 1, I: 4, O: 1 },
    "one row, one short of a workgroup": { N: 1, I: 12, O: 31 },
    "one row, one over a workgroup": { N: 1, I: 12, O: 33 },
    "one row, more inputs than a turn": { N: 1, I: 516, O: 5 },
    "f16, gelu (tanh), residual": { N: 3, I: 64, O: 24, format: half, activation: gelu_tanh.code, residual: 1 },
    "gelu (tanh) at its ends": {
      N: 8,
      I: 8,
      O: 8,
      format: half,
      activation: gelu_tanh.code,
      residual: 1,
      gain: 50,
      tolerance: 1e-5,
    },
    "f16, a width of no whole loads": { N: 1, I: 20, O: 9, format: half },
    "i8, two groups, relu, window": { N: 2, I: 64, O: 30, Y: 40, y_at: 10, format: i8, activation: relu.code },
    "i8, one row, many groups": { N: 1, I: 1120, O: 13, format: i8 },
    "i4, one row, many groups": { N: 1, I: 2240, O: 13, format: i4, tolerance: 1e-5 },
    "i8, eight rows": { N: 8, I: 96, O: 7, format: i8 },
    "one short of eight rows": { N: 7, I: 8, O: 31 },
    "eight rows": { N: 8, I: 8, O: 32 },
    "one over eight rows": { N: 9, I: 8, O: 33 },
    "three rows, gelu": { N: 3, I: 16, O: 6, activation: gelu.code },
    "gelu at its ends": { N: 4, I: 8, O: 9, activation: gelu.code, gain: 50, tolerance: 1e-5 },
    tanh: { N: 1, I: 16, O: 10, activation: tanh.code },
    "tanh at its ends": { N: 1, I: 8, O: 9, activation: tanh.code, gain: 50 },
    "gated, silu, no bias": { N: 1, I: 64, O: 15, activation: silu.code, gated: 1, bias: 0 },
    "silu at its ends": { N: 1, I: 8, O: 13, activation: silu.code, gated: 1, bias: 0, gain: 200, tolerance: 1e-5 },
    "rmsnorm, one row": { N: 1, I: 100, O: 6, norm: rmsnorm, gamma: 1, gain: 3, offset: 1 },
    "layernorm, four rows far from zero": {
      N: 4,
      I: 132,
      O: 5,
      norm: layernorm,
      gamma: 1,
      beta: 1,
      offset: 1000,
      tolerance: 1e-3, // x itself is rounded to 6e-5
    },
    "layernorm without weights, a row of equal values": { N: 1, I: 4, O: 3, norm: layernorm, gain: 0, offset: 7 },
    "a large eps": { N: 1, I: 36, O: 3, norm: layernorm, eps: 1 },
    "i4, two rows, bias, whole loads": { N: 2, I: 160, O: 9, format: i4, tolerance: 2e-6 },
    "i4, three rows": { N: 3, I: 96, O: 10, format: i4, tolerance: 2e-6 },
    "i4, eight rows, rmsnorm": { N: 8, I: 96, O: 10, format: i4, norm: rmsnorm, gamma: 1, gain: 3, tolerance: 5e-6 },
    "rmsnorm with a shift": { N: 3, I: 36, O: 6, norm: rmsnorm, gamma: 1, beta: 1, offset: 2, tolerance: 2e-6 },
    "seven rows": { N: 7, I: 36, O: 9 },
    "rmsnorm, far from zero": { N: 3, I: 256, O: 6, norm: rmsnorm, offset: 1000, tolerance: 1e-5 },
    "a long sum": { N: 1, I: 2048, O: 8, tolerance: 5e-6 },
    "far from zero": { N: 1, I: 256, O: 8, offset: 1000, tolerance: 1e-5 },
    "one input": { node: 1, N: 3, I: 1, O: 2 },
    "two inputs, bf16": { N: 1, I: 2, O: 5, format: brain },
    "three inputs, f16, gated": { node: 1, N: 3, I: 3, O: 7, format: half, gated: 1, activation: silu.code },
    "five inputs, i8": { node: 1, N: 2, I: 5, O: 3, format: i8 },
    "seven inputs, i4": { node: 1, N: 3, I: 7, O: 12, format: i4 },
    "twelve inputs, i8, of which a group is short": { node: 1, N: 3, I: 12, O: 20, format: i8 },
    "bf16, whole loads": { N: 4, I: 64, O: 30, format: brain },
    "bf16, a width of no whole loads": { node: 1, N: 1, I: 20, O: 9, format: brain },
    "30 inputs, f16, rmsnorm": { N: 2, I: 30, O: 99, format: half, norm: rmsnorm, gamma: 1 },
    "37 inputs": { N: 8, I: 37, O: 90 },
    "37 inputs, bf16, residual, window": { node: 1, N: 3, I: 37, O: 30, Y: 37, y_at: 5, format: brain, residual: 1 },
    "90 inputs, layernorm": {
      node: 1,
      N: 4,
      I: 90,
      O: 37,
      norm: layernorm,
      gamma: 1,
      beta: 1,
      offset: 3,
      tolerance: 1e-5,
    },
    "99 inputs, i8, gelu": { N: 3, I: 99, O: 5, format: i8, activation: gelu.code },
    "99 inputs, i4, layernorm": { N: 2, I: 99, O: 31, format: i4, norm: layernorm, tolerance: 5e-6 },
    "100 inputs, i4": { node: 1, N: 1, I: 100, O: 33, format: i4 },
    "100 inputs, i8, two rows": { node: 1, N: 2, I: 100, O: 7, format: i8 },
    "many odd inputs": { node: 1, N: 1, I: 1023, O: 9, tolerance: 5e-6 },
    "many odd inputs, i8": { node: 1, N: 1, I: 1023, O: 9, format: i8, tolerance: 5e-6 },
    "a NaN, relu": { node: 1, N: 3, I: 12, O: 9, activation: relu.code, special: NaN },
    "a NaN, gelu": { node: 1, N: 3, I: 8, O: 9, activation: gelu.code, special: NaN },
    "a NaN, gelu (tanh)": { node: 1, N: 2, I: 8, O: 9, activation: gelu_tanh.code, special: NaN },
    "a NaN, gated, silu": { node: 1, N: 2, I: 8, O: 9, gated: 1, activation: silu.code, special: NaN },
    "a NaN, tanh, behind an odd row": { N: 3, I: 37, O: 9, activation: tanh.code, special: NaN },
    "a NaN behind a short group": { node: 1, N: 3, I: 37, O: 9, format: i8, special: NaN },
    "a NaN behind a short group of whole fours": { node: 1, N: 3, I: 36, O: 9, format: i4, special: NaN },
    "a NaN, layernorm": { node: 1, N: 2, I: 6, O: 5, norm: layernorm, special: NaN },
    "an infinity": { node: 1, N: 3, I: 5, O: 9, special: Infinity },
    "workgroups past 65535": { N: 8 * 65536 + 1, I: 4, O: 1 },
  },
  mutants: {
    "rows.direct": {
      "a row of odd width with an end of fours": [
        "37 inputs",
        (wgsl) => wgsl.replaceAll("params.I / CHUNK;", "params.I / 4;"),
      ],
      "halves of the other place": [
        "30 inputs, f16, rmsnorm",
        (wgsl) => wgsl.replace("[i / 2])[i % 2]", "[i / 2])[1 - i % 2]"),
      ],
      "bfloat16s of the other place": ["two inputs, bf16", (wgsl) => wgsl.replace("(16 - i % 2 * 16)", "(i % 2 * 16)")],
      "bfloat16s in the wrong order": [
        "bf16, whole loads",
        (wgsl) => wgsl.replace("h.x << 16, h.x & 0xffff0000", "h.x & 0xffff0000, h.x << 16"),
      ],
      "bytes of the other end": ["five inputs, i8", (wgsl) => wgsl.replace("(24 - i % 4 * 8)", "(i % 4 * 8)")],
      "nibbles of the other end": [
        "seven inputs, i4",
        (wgsl) => wgsl.replace("i % 4 * 8 + i / 4 % 2 * 4", "28 - i % 4 * 8 - i / 4 % 2 * 4"),
      ],
      "groups that run on into the next row": [
        "100 inputs, i8, two rows",
        (wgsl) => wgsl.replace("groups() * GROUP", "inputs() / CHUNK"),
      ],
      "scales that follow the weights without their padding": [
        "99 inputs, i8, gelu",
        (wgsl) => wgsl.replace("outputs() * groups()", "outputs() * (inputs() / 32)"),
      ],
      "a short group that reads on": [
        "a NaN behind a short group",
        (wgsl) => wgsl.replace("min(first + GROUP, inputs() / CHUNK)", "first + GROUP"),
      ],
      "a short group of fours that reads on": [
        "a NaN behind a short group of whole fours",
        (wgsl) => wgsl.replace("min(first + GROUP, inputs() / CHUNK)", "first + GROUP"),
      ],
      "a relu that drops NaN": [
        "a NaN, relu",
        (wgsl) => wgsl.replace("select(activation(v), v,", "select(activation(v), activation(v),"),
      ],
      "a tanh that drops NaN": [
        "a NaN, tanh, behind an odd row",
        (wgsl) => wgsl.replace("select(activation(v), v,", "select(activation(v), activation(v),"),
      ],
      "rows past the end": [
        "one short of eight rows",
        (wgsl) => wgsl.replaceAll("k < min(ROWS, params.N - n)", "k < ROWS"),
      ],
      "outputs past the end": [
        "one row, one over a workgroup",
        (wgsl) => wgsl.replace("if (o + j <= last) { put(n, o + j, v[j]); }", "put(n, o + j, v[j]);"),
      ],
      "tiles rounded down": [
        "one over eight rows",
        (wgsl) => wgsl.replace("(params.N + ROWS - 1) / ROWS", "params.N / ROWS"),
      ],
      "a row read twice": [
        "one short of eight rows",
        (wgsl) => wgsl.replace("let x1 = (n + min(1u,", "let x1 = (n + min(0u,"),
      ],
      "the residual of the first output": [
        "gelu (tanh) at its ends",
        (wgsl) => wgsl.replace("residual[at]", "residual[at - o]"),
      ],
      "a window from the first column": [
        "i8, two groups, relu, window",
        (wgsl) => wgsl.replace("params.Y + params.y_at", "params.Y"),
      ],
      "halves in the wrong order": [
        "f16, a width of no whole loads",
        (wgsl) => wgsl.replace("(h.x), unpack2x16float(h.y)", "(h.y), unpack2x16float(h.x)"),
      ],
      "nibbles in the wrong order": [
        "i4, one row, many groups",
        (wgsl) => wgsl.replace("28, 20, 12, 4", "20, 28, 4, 12"),
      ],
      "a scale of half a group": ["i8, one row, many groups", (wgsl) => wgsl.replace("i / GROUP;", "i / (GROUP / 2);")],
      "a gate that is not activated": ["silu at its ends", (wgsl) => wgsl.replace("v.x * z.y", "z.x * z.y")],
      "a second pair that is the first": ["silu at its ends", (wgsl) => wgsl.replace("v.z * z.w", "v.x * z.y")],
      "a variance about zero": [
        "layernorm, four rows far from zero",
        (wgsl) => wgsl.replace("(x[row + i] - mean) *", "(x[row + i]) *"),
      ],
      "a norm without its shift": [
        "i8, layernorm, gated, silu, residual, window",
        (wgsl) => wgsl.replace("v += beta[i]", "v += beta[0]"),
      ],
      "a mean of rmsnorm": ["a large eps", (wgsl) => wgsl.replace("if (NORM == 1)", "if (NORM == 2)")],
      "no eps": ["a large eps", (wgsl) => wgsl.replace("+ params.eps", "")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    "rows.shared": {
      "a last input left out": ["37 inputs", (wgsl) => wgsl.replace("c < loads", "c < loads - 1")],
      "groups that run on into the next row": [
        "99 inputs, i4, layernorm",
        (wgsl) => wgsl.replace("let pitch = stride() / PARTS", "let pitch = loads"),
      ],
      "rows past the end": ["one over eight rows", (wgsl) => wgsl.replace(" || n + k >= params.N", "")],
      "outputs past the end": [
        "tanh at its ends",
        (wgsl) => wgsl.replace("if (o + j <= last) { put(n, o + j, v[j]); }", "put(n, o + j, v[j]);"),
      ],
      "sums of the first set": [
        "silu at its ends",
        (wgsl) => wgsl.replace("sums[k * SIZE + member * LANES]", "sums[k * SIZE]"),
      ],
      "a row whose sums are another's": [
        "three rows, gelu",
        (wgsl) => wgsl.replace("lay(2, index, r2.sum)", "lay(2, index, r1.sum)"),
      ],
      "shares that overlap": ["a long sum", (wgsl) => wgsl.replace("c += step", "c += step / 2")],
      "a scale of half a group": ["i8, one row, many groups", (wgsl) => wgsl.replace("i / GROUP;", "i / (GROUP / 2);")],
      "sums of x that are left out": ["i4, one row, many groups", (wgsl) => wgsl.replace("- OFFSET * r.inputs", "")],
      "sums of upper halves that are left out": [
        "i4, one row, many groups",
        (wgsl) => wgsl.replace("r.upper / 16 -", "-"),
      ],
      "scales of the output before": [
        "i8, two groups, relu, window",
        (wgsl) => wgsl.replace("(groups() + 3) / 4", "groups() / 4"),
      ],
      "scaled weights without their offset": [
        "i4, three rows",
        (wgsl) => wgsl.replace("s.w * w[3] - t.w", "s.w * w[3]"),
      ],
      "the squares of another row": [
        "i4, eight rows, rmsnorm",
        (wgsl) => wgsl.replace("r4.squares, r5.squares", "r5.squares, r4.squares"),
      ],
      "squares of scaled inputs": ["rmsnorm, one row", (wgsl) => wgsl.replace("inner(v, v)", "inner(v * gamma[i], v)")],
      "the first part of every load": ["i8, one row, many groups", (wgsl) => wgsl.replace("load[j])", "load[0])")],
      "a row's moments for all": [
        "layernorm, four rows far from zero",
        (wgsl) => wgsl.replace("set_norm(k, norms[k])", "set_norm(k, norms[0])"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    "rows.subgroup": {
      "a last input left out": ["37 inputs", (wgsl) => wgsl.replace("c < loads", "c < loads - 1")],
      "groups that run on into the next row": [
        "99 inputs, i4, layernorm",
        (wgsl) => wgsl.replace("let pitch = stride() / PARTS", "let pitch = loads"),
      ],
      "rows past the end": [
        "one over eight rows",
        (wgsl) => wgsl.replace("let rows = min(ROWS, params.N - n)", "let rows = ROWS"),
      ],
      "an output read twice": [
        "a large eps",
        (wgsl) => wgsl.replace("let w1 = min(o + 1, last)", "let w1 = min(o, last)"),
      ],
      "a sum of one invocation": ["a large eps", (wgsl) => wgsl.replace("subgroupAdd(r.sum)", "r.sum")],
      "shares that overlap": ["a large eps", (wgsl) => wgsl.replace("c += step", "c += step / 2")],
      "subgroups that are all the first": ["gelu (tanh) at its ends", (wgsl) => wgsl.replace("start + id", "start")],
      "squares of one invocation": ["rmsnorm, one row", (wgsl) => wgsl.replace("subgroupAdd(r.squares)", "r.squares")],
      "a row of another": ["seven rows", (wgsl) => wgsl.replace("r6.sum, k == 6", "r5.sum, k == 6")],
      "a mean of one invocation": ["a large eps", (wgsl) => wgsl.replace("subgroupAdd(total(sum))", "total(sum)")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
  },
  refused: {
    "a weight of another input width": [
      { N: 1, I: 8, O: 4 },
      (args) => {
        args.weight = f16([4, 12], () => 1);
      },
      /weight must be f32\|f16\|bf16\|i8\|i4\[J\*O,I\] with J=1, O=4, I=8, got weight f16\[4,12\]/,
    ],
    "a window past the end": [
      { N: 1, I: 8, O: 4, Y: 9, y_at: 6 },
      () => {},
      /y_at \+ O must be at most Y=9, got 6 \+ 4/,
    ],
    "a norm's weight without a norm": [{ N: 1, I: 8, O: 4, gamma: 1 }, () => {}, /gamma and beta need NORM 1 or 2/],
    "an x of one axis": [
      { N: 1, I: 8, O: 4 },
      (args) => {
        args.x = f32([8], () => 1);
      },
      /x must be f32\[N,I\], got x f32\[8\]/,
    ],
    "an output of other rows": [
      { N: 2, I: 8, O: 4 },
      (args) => {
        args.y = f32([1, 4], () => 1);
      },
      /y must be f32\[N,Y\] with N=2, Y=4, got y f32\[1,4\]/,
    ],
    "an x that is missing": [
      { N: 1, I: 8, O: 4 },
      (args) => {
        args.x = undefined;
      },
      /x must be f32\[N,I\], got nothing/,
    ],
  },
};

checkKernel(matmul, table);
for (const variant of ["rows.shared", "rows.subgroup"])
  for (const I of [1056, 1023]) checkTunings(matmul, table, variant, { N: 1, I, O: 69, tolerance: 5e-6 });

/** As on GPUs, where loops with a known bound are unrolled. */
const unrolled = {
  "f16, two rows": { N: 2, I: 136, O: 9, format: half },
  "i8, three rows": { N: 3, I: 96, O: 6, format: i8 },
  "i4, one row": { N: 1, I: 160, O: 9, format: i4, tolerance: 2e-6 },
};
for (const name of ["rows.shared", "rows.subgroup"]) {
  const variant = matmul.variants.find((one) => one.name === name) as (typeof matmul.variants)[number];
  const constants: typeof variant.constants = (d, device) => ({ ...variant.constants?.(d, device), UNROLL: 1 });
  const variants = [{ ...variant, constants }];
  checkKernel({ ...matmul, variants }, { ...table, variants: [name], cases: unrolled, mutants: {}, refused: {} });
}
