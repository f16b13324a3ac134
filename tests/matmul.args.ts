import { quantWords } from "../src/runtime/quant.js";
import { elements } from "../src/runtime/tensor.js";
import { FORMATS } from "../src/kernels/formats.js";
import { bf16, f16, f32, type Filled, quantised, statusOf } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Values of `format`. */
export const [full, half, brain, i8, i4] = FORMATS.map((_, code) => code);

const LARGE = 2 ** 22; // weights above which their words repeat: quantising a vocabulary's takes seconds

const weights: readonly (typeof f32)[] = [
  f32,
  f16,
  bf16,
  (shape, value) => (elements({ shape }) > LARGE ? quantNoise("i8", shape, value) : quantised("i8", shape, value)),
  (shape, value) => (elements({ shape }) > LARGE ? quantNoise("i4", shape, value) : quantised("i4", shape, value)),
];

function quantNoise(dtype: "i8" | "i4", shape: readonly number[], random: (index: number) => number): Filled {
  const data = new Uint32Array(quantWords(dtype, shape[0], shape[1]));
  const block = Uint32Array.from({ length: 4099 }, (_, i) => random(i) * 2 ** 31);
  for (let at = 0; at < data.length; at += block.length) data.set(block.subarray(0, data.length - at), at);
  const scales = shape[0] * 4 * Math.ceil(shape[1] / 128);
  new Float32Array(data.buffer, 4 * (data.length - scales)).fill(dtype === "i8" ? 1 / 127 : 1 / 8);
  return { dtype, shape, data };
}

/** Arguments of `matmul`, for tests and benches. The second row of x begins with `special`, if given, a NaN or an infinity. */
export const args = (size: Size, random: () => number) => {
  const { N, I, O, Y = O, format = full, bias = 1, gated = 0, residual = 0, gain = 1, offset = 0 } = size;
  const { gamma, beta, status, special } = size;
  const x = f32([N, I], gain === 1 && offset === 0 ? random : () => gain * random() + offset);
  if (special !== undefined) x.data[I] = special;
  return {
    x,
    weight: weights[format]([(1 + gated) * O, I], random),
    bias: bias ? f32([(1 + gated) * Y], random) : undefined,
    residual: residual ? f32([N, Y], random) : undefined,
    gamma: gamma ? f32([I], random) : undefined,
    beta: beta ? f32([I], random) : undefined,
    y: f32([N, Y], random), // what lies beside the window must stay
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** Scalars and constants of `matmul`. */
export const values = ({ O, y_at = 0, activation = 0, gated = 0, norm = 0, eps = 1e-5 }: Size) => ({
  J: 1 + gated,
  O,
  y_at,
  eps,
  ACTIVATION: activation,
  NORM: norm,
});
