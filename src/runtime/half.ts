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

/** `fromF16` of every element. */
export function f16ToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < words.length; i++) words[i] = widened(halves[i]);
  return new Float32Array(words.buffer);
}

/** The numbers that the bits of bfloat16s stand for: the upper halves of f32s. */
export function bf16ToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < words.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/** The upper halves of f32s, rounded to nearest even: bfloat16s, of which only those of NaN are not the nearest number. */
export function f32ToBf16(values: Float32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const bits = words[i];
    const isNaN = (bits & 0x7fffffff) > 0x7f800000; // to round it up could make it infinite
    halves[i] = isNaN ? (bits >>> 16) | 64 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return halves;
}

/** `toF16` of every element. */
export function f32ToF16(values: Float32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) halves[i] = narrowed(words[i]);
  return halves;
}

/** binary32 bits of binary16 bits. */
function widened(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? 0x7fc00000 : sign | 0x7f800000;
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // brings the highest set bit to bit 10, where the implied 1 is
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 1023) << 13);
}

/** binary16 bits of binary32 bits. */
function narrowed(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  if (magnitude < 0x33000000) return sign; // below half of the smallest half
  const shift = 126 - (magnitude >>> 23); // 14 to 24 bits of the significand fall away
  const significand = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift);
}
