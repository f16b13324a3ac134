import { conv1d } from "../src/kernels/index.js";
import { checkKernel, f16, f32, u32 } from "./support/kernel.js";

// Sequences of `lengths` rows: two digits of it a sequence, so that 120301 are 12, 3 and 1.
const lengthsOf = (lengths: number): number[] => {
  const found: number[] = [];
  for (let left = lengths; left > 0; left = Math.floor(left / 100)) found.unshift(left % 100);
  return found;
};

checkKernel(conv1d, {
  args: ({ lengths = 0, L, I, O, stride = 1, half = 0, bias = 1, positions = 0, offset = 0 }, random) => {
    const inputs = L ? [L] : lengthsOf(lengths);
    const starts = inputs.map((_, b) => inputs.slice(0, b).reduce((a, c) => a + c, 0));
    const places = inputs.flatMap((count, b) =>
      Array.from({ length: Math.ceil(count / Math.max(1, stride)) }, (_, position) => [7, position, b, 9]),
    );
    const S = inputs.reduce((a, c) => a + c, 0);
    return {
      rows: u32([places.length, 4], (i) => places[Math.floor(i / 4)][i % 4]),
      spans: u32([inputs.length, 2], (i) => (i % 2 ? inputs : starts)[Math.floor(i / 2)]),
      x: f32([S, I], () => random() + offset),
      weight: (half ? f16 : f32)([O, I, 3], random),
      bias: bias ? f32([O], random) : undefined,
      positions: positions ? f32([Math.ceil(Math.max(...inputs) / stride), O], random) : undefined,
    };
  },
  values: ({ stride = 1, activation = 0 }) => ({ STRIDE: stride, ACTIVATION: activation }),
  tolerance: 3e-6, // measured 8e-7
  cases: {
    "one row": { lengths: 1, I: 4, O: 1 },
    "one row at stride 2": { lengths: 1, I: 4, O: 3, stride: 2 },
    "two rows at stride 2": { lengths: 2, I: 4, O: 4, stride: 2 },
    "sequences of odd lengths": { lengths: 50301, I: 8, O: 5 },
    "sequences of odd lengths at stride 2": { lengths: 50301, I: 8, O: 5, stride: 2 },
    "sequences that share a tile": { lengths: 3030302, I: 12, O: 9, positions: 1, activation: 2 },
    "one short of a tile": { lengths: 3, I: 8, O: 31, bias: 0 },
    "one over a tile": { lengths: 5, I: 8, O: 33, positions: 1, activation: 2 },
    "whisper's first": { lengths: 4020, I: 80, O: 64, activation: 2 },
    "whisper's second": { lengths: 4021, I: 64, O: 64, stride: 2, activation: 2, positions: 1 },
    "whisper's second in f16": { lengths: 4021, I: 64, O: 36, stride: 2, activation: 2, positions: 1, half: 1 },
    relu: { lengths: 6, I: 4, O: 4, activation: 1 },
    "gelu (tanh)": { lengths: 6, I: 4, O: 4, activation: 3 },
    silu: { lengths: 6, I: 4, O: 4, activation: 4 },
    tanh: { lengths: 6, I: 4, O: 4, activation: 5 },
    "far from zero": { lengths: 12, I: 64, O: 8, offset: 1000, tolerance: 3e-5 }, // measured 7e-6
    "rows past 65535": { L: 65537, I: 4, O: 2 },
  },
  mutants: {
    direct: {
      "taps in the reverse order": (wgsl) => wgsl.replace("taps(p0, i, w0, w1, w2)", "taps(p0, i, w2, w1, w0)"),
      "weights with their taps outermost": (wgsl) => wgsl.replace("return vec4f(a.x, a.w, b.z, c.y)", "return a"),
      "an end that is not padded": (wgsl) => wgsl.replace(" & (at <= vec3u(span.y))", ""),
      "a beginning that is not padded": (wgsl) => wgsl.replace("(at > vec3u()) & ", ""),
      "a stride that is forgotten": (wgsl) => wgsl.replace("STRIDE * row.y", "row.y"),
      "rows of another sequence": (wgsl) => wgsl.replace("spans[row.z]", "spans[0]"),
      "positions before the activation": (wgsl) =>
        wgsl.replace(
          "z = activate(z);",
          "if (HAS_POSITIONS == 1) { z += positions[rows[n + j].y * params.O + o]; } z = activate(z);",
        ),
      "positions of the packed row": (wgsl) => wgsl.replace("rows[n + j].y * params.O", "(n + j) * params.O"),
      "a bias that is forgotten": (wgsl) => wgsl.replace("HAS_BIAS == 1", "HAS_BIAS == 7"),
      "outputs past the end that are stored": (wgsl) => wgsl.replace("k <= left", "k <= 3u"),
      "rows past the end that are stored": (wgsl) => wgsl.replace("min(ROWS, params.N - n)", "ROWS"),
      "gelu (tanh) for gelu (erf)": (wgsl) =>
        wgsl.replace("ACTIVATION == 2", "ACTIVATION == 9").replace("ACTIVATION == 3", "ACTIVATION == 2"),
    },
  },
  refused: {
    "a width that is no multiple of 4": [{ lengths: 3, I: 6, O: 4 }, () => {}, /I must be a multiple of 4, got 6/],
    "five taps": [
      { lengths: 3, I: 4, O: 4 },
      (args) => {
        args.weight = f32([4, 4, 5], () => 1);
      },
      /weight must be f32\|f16\[O,I,3\] with O=4, I=4, got weight f32\[4,4,5\]/,
    ],
    "a bias of another width": [
      { lengths: 3, I: 4, O: 4 },
      (args) => {
        args.bias = f32([5], () => 1);
      },
      /bias must be f32\[O\]\? with O=4, got bias f32\[5\]/,
    ],
    "a stride of 0": [{ lengths: 3, I: 4, O: 4, stride: 0 }, () => {}, /STRIDE must be at least 1, got 0/],
  },
});
