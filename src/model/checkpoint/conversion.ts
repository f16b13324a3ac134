import { CheckpointError } from "../../runtime/errors.js";
import { bf16ToF16, bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../runtime/half.js";
import type { Entry } from "./safetensors.js";

/** Numbers as they are stored: f32, or the bits of f16 or bfloat16. */
export type Words = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The formats that stored numbers are converted to; int8 and int4 are made of f32. */
export type FloatFormat = "f32" | "f16" | "bf16";

/** Views the bytes of a tensor as its numbers: in place if whole words are aligned, else in a copy. */
export function view(dtype: string, bytes: Uint8Array<ArrayBuffer>): Words {
  const { buffer, byteOffset } = bytes.byteOffset % 4 ? new Uint8Array(bytes) : bytes;
  return dtype === "F32"
    ? new Float32Array(buffer, byteOffset, bytes.length / 4)
    : new Uint16Array(buffer, byteOffset, bytes.length / 2);
}

/** Stored numbers in another format, in `memory` if it is given; the same array where nothing changes. */
export function convert(dtype: string, words: Words, format: FloatFormat, memory?: ArrayBuffer): Words {
  if (dtype.toLowerCase() === format) return words;
  const size = format === "f32" ? 4 : 2;
  const into = new (size === 4 ? Float32Array : Uint16Array)(
    memory ?? new ArrayBuffer(size * words.length),
    0,
    words.length,
  );
  if (into instanceof Float32Array) return (dtype === "F16" ? f16ToF32 : bf16ToF32)(words as Uint16Array, into);
  if (dtype === "BF16") return bf16ToF16(words as Uint16Array, into);
  return (format === "f16" ? f32ToF16 : f32ToBf16)(convert(dtype, words, "f32") as Float32Array<ArrayBuffer>, into);
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
  if (!reach(words, limit)) return;
  const bad = words.findIndex((_, i) => reach(words.slice(i, i + 1), limit));
  const value = convert(dtype, words.slice(bad, bad + 1), "f32")[0];
  throw new CheckpointError(
    Number.isFinite(value)
      ? `${name}: must hold numbers up to ${format === "f16" ? 65504 : 3.38e38} to be stored as ${format}, got ${value}; load with dtype "auto" or "f32"`
      : `${name}: must hold finite numbers, got ${value}; fetch the file again, or take another checkpoint`,
  );
}

/**
 * Whether the bits of a number without the sign are `limit` or more. What is added carries into the place of the sign
 * then; two numbers of 16 bits are looked at together.
 */
function reach(words: Words, limit: number): boolean {
  const [mask, carry] =
    words instanceof Float32Array ? [0x7fffffff, 2 ** 31 - limit] : [0x7fff7fff, (0x8000 - limit) * 0x10001];
  const bits = new Int32Array(words.buffer, words.byteOffset, words.byteLength >>> 2);
  let any = words.length % 2 && words instanceof Uint16Array ? (words[words.length - 1] & mask) + carry : 0;
  for (let i = 0; i < bits.length; i++) any |= (bits[i] & mask) + carry;
  return (any & ~mask) !== 0;
}
