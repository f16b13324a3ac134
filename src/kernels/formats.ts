import type { Dims } from "../runtime/kernel.js";
import { byteLength, type DType, storage, STORAGE } from "../runtime/tensor.js";

/** Storage formats of weights in the order of their codes (WEIGHT_FORMAT), as in shaders/parts/formats.wgsl. */
export const FORMATS = Object.keys(STORAGE).filter((name) => name !== "u32") as Exclude<DType, "u32">[];

/** Any of them, as a pattern says it. */
export const ANY_FORMAT = FORMATS.join("|");

/** Number of weights in a load of 16 bytes. */
export const perLoad = ({ WEIGHT_FORMAT }: Dims): number => 128 / storage(FORMATS[WEIGHT_FORMAT]).bits;

/** Whether weights are integers in groups that share a scale. */
export const isQuantised = ({ WEIGHT_FORMAT }: Dims): boolean => storage(FORMATS[WEIGHT_FORMAT]).group !== undefined;

/** Bytes of weights of this shape, including their scales. */
export const weightBytes = (shape: readonly number[], format: number): number =>
  byteLength({ shape, dtype: FORMATS[format] });
