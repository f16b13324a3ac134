import { ACTIVATION } from "../../src/kernels/activation.js";
import { quantWords } from "../../src/runtime/quant.js";
import { type DType, elements } from "../../src/runtime/tensor.js";
import { type Build, f32, type Size, noise } from "./harness.js";

const FORMATS = ["f32", "f16", "i8", "i4"] as const satisfies readonly DType[];
type Format = (typeof FORMATS)[number];

/** Shapes with their weights in each of these formats, all four when none is named. */
export function inFormats(shapes: Readonly<Record<string, Size>>, ...formats: Format[]): Record<string, Size> {
  return Object.fromEntries(
    Object.entries(shapes).flatMap(([name, size]) =>
      (formats.length ? formats : FORMATS).map((format) => [
        format === "f32" ? name : `${name} ${format}`,
        { ...size, format: FORMATS.indexOf(format) },
      ]),
    ),
  );
}

interface Model {
  readonly N: number;
  readonly D: number;
  readonly F: number;
  /** Columns of keys with values; 2*D when absent. */
  readonly KV?: number;
  readonly gated?: number;
}

/** The linear layers of a decoder step or an encoder layer on N rows. */
export function layersOf(model: string, { N, D, F, KV = 2 * D, gated = 0 }: Model): Record<string, Size> {
  return {
    [`${model} qkv`]: { N, I: D, O: D + KV },
    [`${model} out`]: { N, I: D, O: D, residual: 1 },
    [`${model} fc1`]: { N, I: D, O: F, gated, activation: gated ? ACTIVATION.silu : ACTIVATION.gelu },
    [`${model} fc2`]: { N, I: F, O: D, residual: 1 },
  };
}

/** Weights that repeat: timings do not depend on them, and a vocabulary's take seconds to draw. */
function weights(format: Format, shape: readonly number[], random: () => number) {
  if (format === "f32" || format === "f16") return noise(format, shape, random);
  const count = elements({ shape });
  const scales = count / 32;
  const words = quantWords(format, count);
  const data = new Uint32Array(words);
  const block = Uint32Array.from({ length: 4099 }, () => random() * 2 ** 31);
  for (let at = 0; at < words; at += block.length) data.set(block.subarray(0, words - at), at);
  new Float32Array(data.buffer, 4 * (words - scales)).fill(format === "i8" ? 1 / 127 : 1 / 8);
  return { dtype: format, shape, data };
}

/** Arguments of `matmul` and `matvec`. */
export const build: Build<"x" | "weight" | "bias" | "residual", "y"> = {
  args: ({ N, I, O, format = 0, gated = 0, residual = 0 }, random) => ({
    x: noise("f32", [N, I], random),
    weight: weights(FORMATS[format], [(1 + gated) * O, I], random),
    bias: gated ? undefined : f32([O], random),
    residual: residual ? noise("f32", [N, O], random) : undefined,
    y: f32([N, O], () => 0),
  }),
  values: ({ O, activation = 0, gated = 0 }) => ({ J: 1 + gated, O, y_at: 0, ACTIVATION: activation }),
  tolerance: 1e-4,
  small: { I: 64, O: 72 },
};
