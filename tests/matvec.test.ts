import { ACTIVATION } from "../src/kernels/activation.js";
import { matvec } from "../src/kernels/index.js";
import { checkKernel, f16, f32, u32 } from "./kernel.js";

const { relu, gelu, gelu_tanh, silu } = ACTIVATION;

checkKernel(matvec, {
  args: ({ N, I, O, half = 0, bias = 1, gated = 0, residual = 0, gain = 1, offset = 0, status }, random) => ({
    x: f32([N, I], () => gain * random() + offset),
    weight: (half ? f16 : f32)([(1 + gated) * O, I], random),
    bias: bias ? f32([(1 + gated) * O], random) : undefined,
    residual: residual ? f32([N, O], random) : undefined,
    y: f32([N, O], () => 0),
    status: status === undefined ? undefined : u32([2], () => status),
  }),
  values: ({ activation = 0, gated = 0 }) => ({ J: 1 + gated, ACTIVATION: activation }),
  tolerance: 1e-6, // measured 4e-7
  // where x is far from zero, the products are up to 1e3 times their sum; measured 3e-6
  cases: {
    "one element": { N: 1, I: 4, O: 1 },
    "one row, one short of a workgroup": { N: 1, I: 12, O: 31 },
    "one row, one over a workgroup": { N: 1, I: 12, O: 33 },
    "two rows, relu, status 1": { N: 2, I: 16, O: 30, activation: relu, status: 1 },
    "status 0 writes nothing": { N: 2, I: 8, O: 3, activation: relu, status: 0 },
    "f16, gelu (tanh), residual": { N: 5, I: 64, O: 24, half: 1, activation: gelu_tanh, residual: 1 },
    "three rows, gelu": { N: 3, I: 16, O: 6, activation: gelu },
    "gelu at its ends": { N: 4, I: 8, O: 9, activation: gelu, gain: 50, tolerance: 1e-5 },
    "one short of eight rows": { N: 7, I: 8, O: 31 },
    "eight rows": { N: 8, I: 8, O: 32 },
    "one over eight rows": { N: 9, I: 8, O: 33 },
    "gelu (tanh) at its ends": {
      N: 8, I: 8, O: 8, half: 1, activation: gelu_tanh, residual: 1, gain: 50, tolerance: 1e-5,
    },
    "gated, silu, no bias": { N: 1, I: 64, O: 15, activation: silu, gated: 1, bias: 0 },
    "silu at its ends": { N: 1, I: 8, O: 13, activation: silu, gated: 1, bias: 0, gain: 200, tolerance: 1e-5 },
    "a long sum": { N: 1, I: 2048, O: 8, tolerance: 5e-6 },
    "far from zero": { N: 1, I: 256, O: 8, offset: 1000, tolerance: 1e-5 },
    "workgroups past 65535": { N: 8 * 65536 + 1, I: 4, O: 1 },
  },
  mutants: {
    "rows past the end": (wgsl) => wgsl.replace("k < min(ROWS, params.N - n)", "k < ROWS"),
    "outputs past the end": (wgsl) => wgsl.replace("j < 4 && o + j <= last", "j < 4"),
    "tiles rounded down": (wgsl) => wgsl.replace("(params.N + ROWS - 1) / ROWS", "params.N / ROWS"),
    "lanes of eight outputs": (wgsl) => wgsl.replace("* 8 + lane) * 4", "* 8 + lane) * 8"),
    "a row read twice": (wgsl) => wgsl.replace("let x1 = (n + min(1u,", "let x1 = (n + min(0u,"),
    "the residual of the first output": (wgsl) => wgsl.replace("residual[at]", "residual[at - o]"),
    "halves in the wrong order": (wgsl) => wgsl.replace("(h.x), unpack2x16float(h.y)", "(h.y), unpack2x16float(h.x)"),
    "a gate that is not activated": (wgsl) => wgsl.replace("v.x * z.y", "z.x * z.y"),
    "a second pair that is the first": (wgsl) => wgsl.replace("v.z * z.w", "v.x * z.y"),
    "an unsigned erf": (wgsl) => wgsl.replace("1 + sign(v) *", "1 + 1 *"),
    "a stop that is not heeded": (wgsl) => wgsl.replace("status[0] == 0", "status[0] == 7"),
  },
  refused: {
    "a weight of another input width": [{ N: 1, I: 8, O: 4 }, (args) => { args.weight = f16([4, 12], () => 1); },
      /weight must be f32\|f16\[J\*O,I\] with J=1, O=4, I=8, got weight f16\[4,12\]/],
    "an input width that is no multiple of 4": [{ N: 1, I: 10, O: 4 }, () => {}, /I must be a multiple of 4, got 10/],
    "an x of one axis": [{ N: 1, I: 8, O: 4 }, (args) => { args.x = f32([8], () => 1); },
      /x must be f32\[N,I\], got x f32\[8\]/],
    "an output of other rows": [{ N: 2, I: 8, O: 4 }, (args) => { args.y = f32([1, 4], () => 1); },
      /y must be f32\[N,O\] with N=2, O=4, got y f32\[1,4\]/],
    "an x that is missing": [{ N: 1, I: 8, O: 4 }, (args) => { args.x = undefined; },
      /x must be f32\[N,I\], got nothing/],
  },
});
