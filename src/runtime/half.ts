const float = new Float32Array(1); // one number,
const word = new Uint32Array(float.buffer); // and its bits

/** The number that the bits of an f16 (IEEE 754 binary16) stand for. */
export function fromF16(bits: number): number {
  word[0] = widened(bits);
  return float[0];
}

/** The bits of a number as f16, rounded to nearest even; numbers that round to more than 65504 become infinite. */
export function toF16(value: number): number {
  float[0] = value;
  return narrowed(word[0]);
}

/** `fromF16` of every element, in `into` if it is given. */
export function f16ToF32(halves: Uint16Array, into = new Float32Array(halves.length)): Float32Array<ArrayBuffer> {
  const words = bitsOf(into);
  for (let i = 0; i < words.length; i++) words[i] = widened(halves[i]);
  return into;
}

/** The numbers that the bits of bfloat16s stand for: the upper halves of f32s. In `into` if it is given. */
export function bf16ToF32(halves: Uint16Array, into = new Float32Array(halves.length)): Float32Array<ArrayBuffer> {
  const words = bitsOf(into);
  for (let i = 0; i < words.length; i++) words[i] = halves[i] << 16;
  return into;
}

/**
 * The upper halves of f32s, rounded to nearest even: bfloat16s, of which only those of NaN are not the nearest number.
 * In `into` if it is given.
 */
export function f32ToBf16(
  values: Float32Array<ArrayBuffer>,
  into = new Uint16Array(values.length),
): Uint16Array<ArrayBuffer> {
  const words = bitsOf(values);
  for (let i = 0; i < words.length; i++) {
    const bits = words[i];
    const isNaN = (bits & 0x7fffffff) > 0x7f800000; // to round it up could make it infinite
    into[i] = isNaN ? (bits >>> 16) | 64 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return into;
}

/** `toF16` of every element, in `into` if it is given. */
export function f32ToF16(
  values: Float32Array<ArrayBuffer>,
  into = new Uint16Array(values.length),
): Uint16Array<ArrayBuffer> {
  const words = bitsOf(values);
  for (let i = 0; i < words.length; i++) into[i] = narrowed(words[i]);
  return into;
}

/** `toF16` of the numbers that bfloat16s stand for, in `into` if it is given. */
export function bf16ToF16(halves: Uint16Array, into = new Uint16Array(halves.length)): Uint16Array<ArrayBuffer> {
  for (let i = 0; i < halves.length; i++) {
    const magnitude = halves[i] & 0x7fff;
    const normal = magnitude >= 0x3880 && magnitude < 0x4780; // as f16, too
    into[i] = normal ? (halves[i] & 0x8000) | ((magnitude - 0x3800) << 3) : narrowed(halves[i] << 16);
  }
  return into;
}

const bitsOf = ({ buffer, byteOffset, length }: Float32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> =>
  new Uint32Array(buffer, byteOffset, length);

/** binary32 bits of binary16 bits. */
function widened(half: number): number {
  const sign = (half & 0x8000) << 16;
  const fraction = half & 0x7fff; // with the exponent, unless it is 0
  if (fraction >= 0x7c00) return fraction > 0x7c00 ? 0x7fc00000 : sign | 0x7f800000;
  if (fraction >= 0x400) return sign | ((fraction << 13) + 0x38000000);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // brings the highest set bit to bit 10, where the implied 1 is
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 1023) << 13);
}

/** binary16 bits of binary32 bits. */
function narrowed(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  if (magnitude < 0x33000000) return sign; // below half of the smallest half
  const shift = 126 - (magnitude >>> 23); // 14 to 24 bits of the significand fall away
  const significand = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift);
}
