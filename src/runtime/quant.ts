/** Number of consecutive weights, along the input axis, that share a scale. */
export const GROUP = 32;

/** Bits of a value in the integer formats of weights. */
export const BITS = { i8: 8, i4: 4 } as const;

/** An integer format of weights. */
export type QuantFormat = keyof typeof BITS;

/**
 * Number of 32-bit words that rows of `width` values take: first the values, the smallest index in the lowest bits,
 * then one f32 scale for each group. The last group of a row may be short; it is filled up with zeros.
 */
export const quantWords = (format: QuantFormat, rows: number, width: number): number =>
  rows * Math.ceil(width / GROUP) * (BITS[format] + 1);

/**
 * Quantises rows of `width` values in groups of 32; each stands for scale * integer. i8: -127 to 127, scale =
 * max|value| / 127. i4: -8 to 7, scale = -(value of largest magnitude) / 8, so that all 16 integers are used. Source:
 * Q8_0 and Q4_0 of llama.cpp.
 */
export function quantise(format: QuantFormat, values: Float32Array, width: number): Uint32Array<ArrayBuffer> {
  const bits = BITS[format];
  const rows = values.length / width;
  const data = new Uint32Array(quantWords(format, rows, width));
  const scales = new Float32Array(data.buffer, data.byteLength * (bits / (bits + 1)));
  const [low, high, mask] = bits === 8 ? [-127, 127, 0xff] : [-8, 7, 0xf];
  let [group, word] = [0, 0];
  for (let row = 0; row < values.length; row += width) {
    for (let first = row; first < row + width; first += GROUP) {
      const last = Math.min(first + GROUP, row + width);
      const largest = largestMagnitude(values, first, last);
      const scale = (scales[group++] = bits === 8 ? Math.abs(largest) / 127 : largest / -8);
      const inverse = scale ? 1 / scale : 0;
      for (let i = first; i < last; i++) {
        const rounded = ((values[i] * inverse + 128.5) | 0) - 128; // as Math.round, in a fraction of its time
        const whole = rounded > high ? high : rounded < low ? low : rounded;
        const bit = (i - first) * bits;
        data[word + (bit >>> 5)] |= (whole & mask) << (bit & 31);
      }
      word += bits;
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

/** The values that quantised words stand for, in rows of `width`. */
export function dequantise(format: QuantFormat, data: Uint32Array, width: number): Float64Array {
  const bits = BITS[format];
  const all = data.length / (bits + 1); // groups
  const groups = Math.ceil(width / GROUP); // of a row
  const scales = new Float32Array(data.buffer, data.byteOffset + 4 * bits * all, all);
  const values = new Float64Array((all / groups) * width);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / width);
    const group = row * groups + Math.floor((i - row * width) / GROUP);
    const at = bits * (GROUP * group + ((i - row * width) % GROUP));
    const whole = (data[at >>> 5] << (32 - bits - (at & 31))) >> (32 - bits); // sign-extended
    values[i] = whole * scales[group];
  }
  return values;
}
