import { ACTIVATIONS } from "../../src/kernels/activation.js";
import { FORMATS } from "../../src/kernels/formats.js";
import type { Size } from "./kernel_bench.js";

type Format = (typeof FORMATS)[number];

/** Shapes with their weights in each of the given formats; by default in all. */
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
  /** Columns of keys and values together. Default 2*D. */
  readonly KV?: number;
  readonly gated?: number;
}

/** The linear layers of a decoder step or an encoder layer on N rows. */
export function layersOf(model: string, { N, D, F, KV = 2 * D, gated = 0 }: Model): Record<string, Size> {
  return {
    [`${model} qkv`]: { N, I: D, O: D + KV },
    [`${model} out`]: { N, I: D, O: D, residual: 1 },
    [`${model} fc1`]: {
      N,
      I: D,
      O: F,
      gated,
      bias: 1 - gated,
      activation: gated ? ACTIVATIONS.silu.code : ACTIVATIONS.gelu.code,
    },
    [`${model} fc2`]: { N, I: F, O: D, residual: 1 },
  };
}
