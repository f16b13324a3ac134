import { CheckpointError } from "../../runtime/errors.js";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../runtime/half.js";
import type { Entry } from "./safetensors.js";

/** Numbers as they are stored: f32, or the bits of f16 or bfloat16. */
export type Words = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The formats that stored numbers are converted to; int8 and int4 are made of f32. */
export type FloatFormat = "f32" | "f16" | "bf16";

/** Views the bytes of a tensor as its numbers: in place if they are aligned, else in a copy. */
export function view(dtype: string, bytes: Uint8Array<ArrayBuffer>): Words {
  const size = dtype === "F32" ? 4 : 2;
  const { buffer, byteOffset } = bytes.byteOffset % size ? new Uint8Array(bytes) : bytes;
  return new (size === 4 ? Float32Array : Uint16Array)(buffer, byteOffset, bytes.length / size);
}

/** Stored numbers in another format; the same array where nothing changes. */
export function convert(dtype: string, words: Words, format: FloatFormat): Words {
  if (dtype.toLowerCase() === format) return words;
  if (format === "f32") return dtype === "F16" ? f16ToF32(words as Uint16Array) : bf16ToF32(words as Uint16Array);
  return (format === "f16" ? f32ToF16 : f32ToBf16)(convert(dtype, words, "f32") as Float32Array<ArrayBuffer>);
}

/** Bits without the sign from which a number of a dtype is infinite or none. */
const INFINITE: Readonly<Record<string, number>> = { F32: 0x7f800000, BF16: 0x7f80, F16: 0x7c00 };
/** Bits without the sign from which a number of a dtype is rounded to an infinite one. */
const TOO_LARGE: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  f16: { F32: 0x477ff000, BF16: 0x4780 },
  bf16: { F32: 0x7f7f8000 },
};

/** Throws CheckpointError with the tensor's name for a number that is infinite, or none, or too large for `format`. */
export function checkNumbers({ name, dtype }: Entry, words: Words, format: FloatFormat): void {
  const limit = TOO_LARGE[format]?.[dtype] ?? INFINITE[dtype];
  const sign = dtype === "F32" ? 0x7fffffff : 0x7fff;
  const bits = dtype === "F32" ? new Uint32Array(words.buffer, words.byteOffset, words.length) : words;
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i] & sign) < limit) continue;
    const value = convert(dtype, words.slice(i, i + 1), "f32")[0];
    throw new CheckpointError(
      Number.isFinite(value)
        ? `${name}: must hold numbers up to ${format === "f16" ? 65504 : 3.38e38} to be stored as ${format}, got ${value}; load with dtype "auto" or "f32"`
        : `${name}: must hold finite numbers, got ${value}; fetch the file again, or take another checkpoint`,
    );
  }
}
