/** Number of consecutive weights, along the input axis, that share a scale. */
export const GROUP = 32;

/** Bits of a value in the integer formats of weights. */
export const BITS = { i8: 8, i4: 4 } as const;

/** An integer format of weights. */
export type QuantFormat = keyof typeof BITS;

/**
 * Number of 32-bit words that `count` values take: first the values, the smallest index in the lowest bits, then one
 * f32 scale for each group.
 */
export function quantWords(format: QuantFormat, count: number): number {
  return (count * BITS[format]) / 32 + count / GROUP;
}

/**
 * Quantises values in groups of 32; each stands for scale * integer. i8: -127 to 127, scale = max|value| / 127. i4: -8
 * to 7, scale = -(value of largest magnitude) / 8, so that all 16 integers are used. Source: Q8_0 and Q4_0 of
 * llama.cpp.
 */
export function quantise(format: QuantFormat, values: Float32Array): Uint32Array<ArrayBuffer> {
  const bits = BITS[format];
  const data = new Uint32Array(quantWords(format, values.length));
  const scales = new Float32Array(data.buffer, (values.length * bits) / 8);
  const [low, high, mask] = bits === 8 ? [-127, 127, 0xff] : [-8, 7, 0xf];
  for (let group = 0, i = 0, word = 0; group < scales.length; group++) {
    const last = i + GROUP;
    const largest = largestMagnitude(values, i, last);
    const scale = (scales[group] = bits === 8 ? Math.abs(largest) / 127 : largest / -8);
    const inverse = scale ? 1 / scale : 0;
    while (i < last) {
      let packed = 0;
      for (let shift = 0; shift < 32; shift += bits) {
        const whole = Math.max(low, Math.min(high, Math.round(values[i++] * inverse)));
        packed |= (whole & mask) << shift;
      }
      data[word++] = packed;
    }
  }
  return data;
}

/** The value of largest magnitude; of equal magnitudes the first. */
function largestMagnitude(values: Float32Array, first: number, last: number): number {
  let [largest, magnitude] = [0, 0];
  for (let i = first; i < last; i++) {
    if (Math.abs(values[i]) <= magnitude) continue;
    largest = values[i];
    magnitude = Math.abs(largest);
  }
  return largest;
}

/** The `count` values that quantised words stand for. */
export function dequantise(format: QuantFormat, data: Uint32Array, count: number): Float64Array {
  const bits = BITS[format];
  const scales = new Float32Array(data.buffer, data.byteOffset + (count * bits) / 8, count / GROUP);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const at = i * bits;
    const whole = (data[at >>> 5] << (32 - bits - (at & 31))) >> (32 - bits); // sign-extended
    values[i] = whole * scales[Math.floor(i / GROUP)];
  }
  return values;
}
