/** Number of consecutive weights, along the input axis, that share a scale. */
export const GROUP = 32;

/** Bits of a value in the integer formats of weights. */
export const BITS = { i8: 8, i4: 4 } as const;

/** An integer format of weights. */
export type QuantFormat = keyof typeof BITS;

/** Words of the values and of the scales of a row. */
function wordsOf(format: QuantFormat, width: number): { readonly values: number; readonly scales: number } {
  const groups = Math.ceil(width / GROUP);
  return { values: BITS[format] * groups, scales: 4 * Math.ceil(groups / 4) };
}

/**
 * Number of 32-bit words that rows of `width` values take: first the values, the smallest index in the lowest bits, then
 * one f32 scale for each group. A row is filled up with zeros: its values to whole groups, its scales to fours. i4 is
 * stored as value + 8; a word of it has its first four in the lower halves of its bytes and the next four in the upper
 * ones, as shaders unpack bytes.
 */
export const quantWords = (format: QuantFormat, rows: number, width: number): number => {
  const { values, scales } = wordsOf(format, width);
  return rows * (values + scales);
};

const SMALLEST = 2 ** -126; // of the scales; devices may take smaller ones for zero

/**
 * Quantises rows of `width` values in groups of 32; each stands for scale * integer. i8: -127 to 127, scale =
 * max|value| / 127. i4: -8 to 7, scale = -(value of largest magnitude) / 8, so that all 16 integers are used. Groups
 * whose scale would be below 2^-126 are zeros. The words lie in `memory` if it is given. Source: Q8_0 and Q4_0 of
 * llama.cpp.
 */
export function quantise(
  format: QuantFormat,
  values: Float32Array,
  width: number,
  memory?: ArrayBuffer,
): Uint32Array<ArrayBuffer> {
  const [words, rows] = [wordsOf(format, width), values.length / width];
  const size = quantWords(format, rows, width);
  const data = new Uint32Array(memory ?? new ArrayBuffer(4 * size), 0, size);
  const scales = new Float32Array(data.buffer, 4 * rows * words.values, rows * words.scales).fill(0);
  const [all, short] = [groupsOf(values), groupsOf(new Float32Array(GROUP))];
  let group = 0;
  for (let row = 0; row < values.length; row += width) {
    let place = (row / width) * words.scales; // of a scale
    for (let first = row; first < row + width; first += GROUP) {
      const whole = first + GROUP <= row + width;
      if (!whole) short.values.fill(0).set(values.subarray(first, row + width));
      const [source, at] = whole ? [all, first] : [short, 0];
      const largest = largestMagnitude(source.words, at);
      const scale = format === "i8" ? fromBits(largest) / 127 : source.values[indexOf(largest, source.words, at)] / -8;
      scales[place] = Math.abs(scale) < SMALLEST ? 0 : scale;
      const inverse = scales[place] ? 1 / scales[place] : 0;
      place++;
      if (format === "i8") pack8(source.values, at, inverse, data, 8 * group++);
      else pack4(source.values, at, inverse, data, 4 * group++);
    }
  }
  return data;
}

/** Values and their bits, of which groups are read. */
const groupsOf = (values: Float32Array) => ({
  values,
  words: new Int32Array(values.buffer, values.byteOffset, values.length),
});

const MAGNITUDE = 0x7fffffff; // the bits without the sign

/** The bits of the largest magnitude in a group: four chains without branches, for speed. */
function largestMagnitude(words: Int32Array, first: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = first; i < first + GROUP; i += 4) {
    const x = a - (words[i] & MAGNITUDE);
    const y = b - (words[i + 1] & MAGNITUDE);
    const z = c - (words[i + 2] & MAGNITUDE);
    const w = d - (words[i + 3] & MAGNITUDE);
    a -= x & (x >> 31); // x is negative where a is the smaller one
    b -= y & (y >> 31);
    c -= z & (z >> 31);
    d -= w & (w >> 31);
  }
  return Math.max(a, b, c, d);
}

/** Where a magnitude comes first in a group. */
function indexOf(magnitude: number, words: Int32Array, first: number): number {
  let index = first;
  while ((words[index] & MAGNITUDE) !== magnitude) index++;
  return index;
}

const word = new Int32Array(1); // the bits of
const float = new Float32Array(word.buffer); // one number

function fromBits(bits: number): number {
  word[0] = bits;
  return float[0];
}

type Pack = (values: Float32Array, first: number, inverse: number, data: Uint32Array, at: number) => void;

/** Packs a group as bytes: rounded numbers above 0, whose highest bit is flipped. */
const pack8: Pack = (values, first, inverse, data, at) => {
  for (let i = first; i < first + GROUP; i += 4) {
    const x = (values[i] * inverse + 128.5) | 0; // as Math.round, in a fraction of its time
    const y = (values[i + 1] * inverse + 128.5) | 0;
    const z = (values[i + 2] * inverse + 128.5) | 0;
    const w = (values[i + 3] * inverse + 128.5) | 0;
    data[at + ((i - first) >> 2)] = (x | (y << 8) | (z << 16) | (w << 24)) ^ 0x80808080;
  }
};

/** Packs a group as halves of bytes: rounded numbers above 0, where 16 becomes 15. */
const pack4: Pack = (values, first, inverse, data, at) => {
  const nibble = (i: number): number => {
    const x = (values[i] * inverse + 8.5) | 0;
    return x - (x >> 4);
  };
  for (let i = first; i < first + GROUP; i += 8) {
    const low = nibble(i) | (nibble(i + 1) << 8) | (nibble(i + 2) << 16) | (nibble(i + 3) << 24);
    const high = nibble(i + 4) | (nibble(i + 5) << 8) | (nibble(i + 6) << 16) | (nibble(i + 7) << 24);
    data[at + ((i - first) >> 3)] = low | (high << 4);
  }
};

const SIGNS = { i8: 0, i4: 0x88888888 }; // what makes stored values two's complements

/** The values that quantised words stand for, in rows of `width`. */
export function dequantise(format: QuantFormat, data: Uint32Array, width: number): Float64Array {
  const [bits, words] = [BITS[format], wordsOf(format, width)];
  const rows = data.length / quantWords(format, 1, width);
  const scales = new Float32Array(data.buffer, data.byteOffset + 4 * rows * words.values, rows * words.scales);
  const values = new Float64Array(rows * width);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / width);
    const at = 32 * row * words.values + bits * (i - row * width); // in bits
    const place = bits === 8 ? at & 31 : 2 * (at & 15) + ((at & 16) >> 2); // of its lowest bit, in the word
    const whole = (data[at >>> 5] ^ SIGNS[format]) << (32 - bits - place); // in the highest bits
    values[i] = (whole >> (32 - bits)) * scales[row * words.scales + Math.floor((i - row * width) / GROUP)];
  }
  return values;
}
