import { ACTIVATIONS } from "../src/kernels/activation.js";
import { conv1d } from "../src/kernels/index.js";
import { args, brain, full, half, values } from "./conv1d.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

const { relu, gelu, gelu_tanh, silu, tanh } = ACTIVATIONS;

checkKernel(conv1d, {
  args,
  values,
  tolerance: 3e-6, // measured 8e-7
  cases: {
    "one row": { lengths: 1, I: 4, O: 1 },
    "one row at stride 2": { lengths: 1, I: 4, O: 3, stride: 2 },
    "two rows at stride 2": { lengths: 2, I: 4, O: 4, stride: 2 },
    "sequences of odd lengths": { lengths: 50301, I: 8, O: 5 },
    "sequences of odd lengths at stride 2": { lengths: 50301, I: 8, O: 5, stride: 2 },
    "sequences that share a tile": { lengths: 3030302, I: 12, O: 9, positions: 1, activation: gelu.code },
    "one short of a tile": { lengths: 3, I: 8, O: 31, bias: 0 },
    "one over a tile": { lengths: 5, I: 8, O: 33, positions: 1, activation: gelu.code },
    "whisper's first": { lengths: 4020, I: 80, O: 64, activation: gelu.code },
    "whisper's second": { lengths: 4021, I: 64, O: 64, stride: 2, activation: gelu.code, positions: 1 },
    "whisper's second in f16": {
      lengths: 4021,
      I: 64,
      O: 36,
      stride: 2,
      activation: gelu.code,
      positions: 1,
      format: half,
    },
    ...Object.fromEntries(
      [1, 2, 3, 5, 6, 7, 10, 30, 37, 99, 100].map((I, i) => [
        `width ${I}`,
        {
          lengths: 50301,
          I,
          O: [7, 37, 6][i % 3],
          stride: 1 + (i % 2),
          positions: 1,
          format: [full, half, brain][i % 3],
        },
      ]),
    ),
    "width 7, f16": { lengths: 503, I: 7, O: 5, format: half },
    "width 12, bf16": { lengths: 503, I: 12, O: 5, format: brain },
    relu: { lengths: 6, I: 4, O: 4, activation: relu.code },
    "gelu (tanh)": { lengths: 6, I: 4, O: 4, activation: gelu_tanh.code },
    silu: { lengths: 6, I: 4, O: 4, activation: silu.code },
    tanh: { lengths: 6, I: 4, O: 4, activation: tanh.code },
    "far from zero": { lengths: 12, I: 64, O: 8, offset: 1000, tolerance: 3e-5 }, // measured 7e-6
    "rows past 65535": { S: 65537, I: 4, O: 2 },
  },
  mutants: {
    direct: {
      "a width of whole fours": [
        "width 7, f16",
        (wgsl) => wgsl.replaceAll("params.I / CHUNK", "params.I / 4 * 4 / CHUNK"),
      ],
      "one half word of two": ["width 7, f16", (wgsl) => wgsl.replace("(weight[i / 2])[i % 2]", "(weight[i / 2])[0]")],
      "taps in the reverse order": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("taps(p0, i, w)", "taps(p0, i, array<Block, 3>(w[2], w[1], w[0]))"),
      ],
      "weights with their taps outermost": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("return vec4f(a.x, a.w, b.z, c.y)", "return a"),
      ],
      "an end that is not padded": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace(" & (at <= vec3u(span.y))", ""),
      ],
      "a beginning that is not padded": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("(at > vec3u()) & ", ""),
      ],
      "a stride that is forgotten": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("STRIDE * row.y", "row.y"),
      ],
      "rows of another sequence": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("spans[row.z]", "spans[0]"),
      ],
      "positions before the activation": [
        "one over a tile",
        (wgsl) =>
          wgsl.replace(
            "z = activate(z);",
            "if (HAS_POSITIONS == 1) { z += positions[rows[n + j].y * params.O + o]; } z = activate(z);",
          ),
      ],
      "positions of the packed row": [
        "whisper's second",
        (wgsl) => wgsl.replace("rows[n + j].y * params.O", "(n + j) * params.O"),
      ],
      "a bias that is forgotten": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("HAS_BIAS == 1", "HAS_BIAS == 7"),
      ],
      "outputs past the end that are stored": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("k <= left", "k <= 3u"),
      ],
      "rows past the end that are stored": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("min(ROWS, params.N - n)", "ROWS"),
      ],
      "gelu (tanh) for gelu (erf)": [
        "one over a tile",
        (wgsl) =>
          wgsl.replace("ACTIVATION == GELU)", "false)").replace("ACTIVATION == GELU_TANH)", "ACTIVATION == GELU)"),
      ],
    },
  },
  refused: {
    "five taps": [
      { lengths: 3, I: 4, O: 4 },
      (args) => {
        args.weight = f32([4, 4, 5], () => 1);
      },
      /weight must be f32\|f16\|bf16\[O,I,3\] with O=4, I=4, got weight f32\[4,4,5\]/,
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
