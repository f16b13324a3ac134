import { ACTIVATION } from "../src/kernels/activation.js";
import { matmul } from "../src/kernels/index.js";
import { checkKernel, f16, f32, u32 } from "./kernel.js";

const { relu, gelu, gelu_tanh, silu } = ACTIVATION;

checkKernel(matmul, {
  args: ({ N, I, O, half = 0, bias = 1, gated = 0, residual = 0, gain = 1, offset = 0, status }, random) => ({
    x: f32([N, I], () => gain * random() + offset),
    weight: (half ? f16 : f32)([(1 + gated) * O, I], random),
    bias: bias ? f32([(1 + gated) * O], random) : undefined,
    residual: residual ? f32([N, O], random) : undefined,
    y: f32([N, O], () => 0),
    status: status === undefined ? undefined : u32([2], () => status),
  }),
  values: ({ activation = 0, gated = 0 }) => ({ J: 1 + gated, ACTIVATION: activation }),
  tolerance: 2e-6, // measured 8e-7
  // where x is far from zero, the products are up to 1e3 times their sum; measured 5e-6
  cases: {
    "one element": { N: 1, I: 4, O: 1 },
    "one short of a tile": { N: 7, I: 12, O: 63 },
    "one over a tile": { N: 9, I: 12, O: 65 },
    "a lane that ends in its first half": { N: 9, I: 8, O: 11 },
    "a lane that ends in its second half": { N: 16, I: 8, O: 14 },
    "twelve rows a tile, one over, gelu, status 1": { N: 97, I: 16, O: 9, activation: gelu, status: 1 },
    "one short, gelu": { N: 107, I: 16, O: 7, activation: gelu, status: 1 },
    "status 0 writes nothing": { N: 97, I: 8, O: 3, activation: gelu, status: 0 },
    "gelu at its ends": { N: 107, I: 8, O: 8, activation: gelu, status: 1, gain: 50, tolerance: 1e-5 },
    "f16, gelu (tanh), residual": { N: 17, I: 64, O: 24, half: 1, activation: gelu_tanh, residual: 1 },
    "gelu (tanh) at its ends": {
      N: 17, I: 8, O: 8, half: 1, activation: gelu_tanh, residual: 1, gain: 50, tolerance: 1e-5,
    },
    "gated, silu": { N: 10, I: 64, O: 15, activation: silu, gated: 1 },
    "silu at its ends": { N: 10, I: 8, O: 13, activation: silu, gated: 1, gain: 200, tolerance: 1e-5 },
    "f16, twelve rows a tile, relu, no bias, residual": {
      N: 96, I: 20, O: 70, half: 1, activation: relu, bias: 0, residual: 1,
    },
    "a long sum": { N: 12, I: 1024, O: 8, tolerance: 5e-6 },
    "far from zero": { N: 12, I: 256, O: 8, offset: 1000, tolerance: 1e-5 },
    "rows past 65535": { N: 65539, I: 4, O: 3, activation: gelu, status: 1 },
  },
  mutants: {
    "rows past the end": (wgsl) => wgsl.replace("k < min(ROWS, params.N - n)", "k < ROWS"),
    "a second half only when whole": (wgsl) => wgsl.replace("if (o + 4 < outputs)", "if (o + 8 <= outputs)"),
    "tiles rounded down": (wgsl) => wgsl.replace("(params.N + ROWS - 1) / ROWS", "params.N / ROWS"),
    "a weight row read twice": (wgsl) => wgsl.replace("let w4 = (o + min(4u,", "let w4 = (o + min(3u,"),
    "the bias after the activation": (wgsl) => wgsl.replace("activate(z)", "activate(acc) + z - acc"),
    "a gate that is not activated": (wgsl) => wgsl.replace("v.x * z.y", "z.x * z.y"),
    "a gelu without its root of one half": (wgsl) => wgsl.replace("0.70710678", "1.0"),
    "a stop that is not heeded": (wgsl) => wgsl.replace("status[0] == 0", "status[0] == 7"),
  },
  refused: {
    "a weight stored [in, out]": [{ N: 9, I: 8, O: 4 }, (args) => { args.weight = f32([8, 4], () => 1); },
      /weight must be f32\|f16\[J\*O,I\] with J=1, O=4, I=8, got weight f32\[8,4\]/],
    "an input width that is no multiple of 4": [{ N: 9, I: 6, O: 4 }, () => {}, /I must be a multiple of 4, got 6/],
    "a bias of f16": [{ N: 9, I: 8, O: 4 }, (args) => { args.bias = f16([4], () => 1); },
      /bias must be f32\[J\*O\]\? with J=1, got bias f16\[4\]/],
    "a residual of other rows": [{ N: 9, I: 8, O: 4 }, (args) => { args.residual = f32([8, 4], () => 1); },
      /residual must be f32\[N,O\]\? with N=9, O=4, got residual f32\[8,4\]/],
    "a weight that is missing": [{ N: 9, I: 8, O: 4 }, (args) => { args.weight = undefined; },
      /weight must be .*, got nothing/],
  },
});
