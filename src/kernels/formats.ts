import type { Dims } from "../runtime/kernel.js";
import { GROUP } from "../runtime/quant.js";

/**
 * Storage formats of weights in the order of their codes (WEIGHT_FORMAT, TOKENS_FORMAT), as in
 * shaders/parts/formats.wgsl.
 */
export const FORMATS = ["f32", "f16", "i8", "i4"] as const;

/** Any of them, as a pattern says it. */
export const ANY_FORMAT = "f32|f16|i8|i4";

const BITS = [32, 16, 8, 4] as const; // of a weight
const I8 = FORMATS.indexOf("i8");

/** Number of weights in a load of 16 bytes. */
export const perLoad = ({ WEIGHT_FORMAT }: Dims): number => 128 / BITS[WEIGHT_FORMAT];

/** Bytes of `count` weights, including their scales. */
export const weightBytes = (count: number, format: number): number =>
  count * (BITS[format] / 8 + (format < I8 ? 0 : 4 / GROUP));

/** Whether groups of weights in this format share a scale. */
export const isGrouped = (format: number): boolean => format >= I8;
