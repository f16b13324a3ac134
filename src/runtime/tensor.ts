import { bf16ToF32, f16ToF32 } from "./half.js";
import { BITS, dequantise, GROUP, quantise, type QuantFormat, quantWords } from "./quant.js";

/** How numbers are stored. */
interface StorageFormat {
  /** Bits of a value; values are packed into 32-bit words, the first in the lowest bits. */
  readonly bits: number;
  /** Values of a row (of the last axis) that share an f32 scale; the scales follow all values. No scales when absent. */
  readonly group?: number;
  /** Number of words that rows of values and their scales take, where there are scales. */
  readonly words?: (rows: number, width: number) => number;
  /** What holds the values on the host. */
  readonly array: Float32ArrayConstructor | Uint32ArrayConstructor | Uint16ArrayConstructor;
  /** The numbers that stored values stand for, in rows of `width`; the values themselves when absent. */
  readonly decode?: (data: TypedArray, width: number) => ArrayLike<number>;
  /** Stored values for rows of f32 numbers, where these are scaled by group; in `memory` if it is given. */
  readonly quantise?: (values: Float32Array, width: number, memory?: ArrayBuffer) => TypedArray;
}

const quantised = (format: QuantFormat): StorageFormat => ({
  bits: BITS[format],
  group: GROUP,
  words: (rows, width) => quantWords(format, rows, width),
  array: Uint32Array,
  decode: (data, width) => dequantise(format, data as Uint32Array, width),
  quantise: (values, width, memory) => quantise(format, values, width, memory),
});

/**
 * All storage formats, row-major. Arithmetic is always f32; f16, bf16, i8 and i4 are for weights, in the order of their
 * codes. Rows may have any width. f16 and bf16 lie close together, so that a row of odd width begins within a word; in i8
 * and i4 each row is padded to whole groups, and its scales to whole fours.
 */
export const STORAGE = {
  u32: { bits: 32, array: Uint32Array },
  f32: { bits: 32, array: Float32Array },
  f16: { bits: 16, array: Uint16Array, decode: (data) => f16ToF32(data as Uint16Array) },
  bf16: { bits: 16, array: Uint16Array, decode: (data) => bf16ToF32(data as Uint16Array) },
  i8: quantised("i8"),
  i4: quantised("i4"),
} satisfies Record<string, StorageFormat>;

/** A storage format. */
export type DType = keyof typeof STORAGE;

/** A storage format by its name. */
export const storage = (dtype: DType): StorageFormat => STORAGE[dtype];

/**
 * What memory a tensor has. Weights and states keep theirs until they are freed; an activation has it from the launch
 * that writes it to the last one that reads it.
 */
export type Role = "weight" | "state" | "activation";

/** A name, a format and a shape. The values are kept by the runner, `gpu` or `cpu`. */
export interface Tensor {
  /** What messages call it. */
  readonly name: string;
  /** Format in storage. */
  readonly dtype: DType;
  /** Sizes, the last axis varying fastest. */
  readonly shape: readonly number[];
  /** What its memory counts as. */
  readonly role: Role;
  /** The tensor that owns the memory, if this one is a view of its first elements. */
  readonly base?: Tensor;
}

/**
 * Declares a tensor. It gets memory when a runner first needs it.
 *
 * @example
 * const device = await gpu();
 * const x = tensor("x", "f32", [2, 3]);
 * device.write(x, Float32Array.of(1, 2, 3, 4, 5, 6));
 * const [values] = await device.read(x);
 * console.log(values);
 */
export function tensor(name: string, dtype: DType, shape: readonly number[], role: Role = "state"): Tensor {
  return { name, dtype, shape, role };
}

/**
 * A view of the first elements of `base`, in another shape. Throws RangeError when that has more elements than `base`.
 */
export function prefix(base: Tensor, shape: readonly number[]): Tensor {
  if (elements({ shape }) > elements(base)) {
    throw new RangeError(`prefix: a view of ${describe(base)} must not be larger, got [${shape}]`);
  }
  return { name: base.name, dtype: base.dtype, shape, role: base.role, base: owner(base) };
}

/** The tensor that owns the memory: the tensor itself, unless it is a view. */
export function owner(t: Tensor): Tensor {
  return t.base ?? t;
}

/** Number of elements. */
export function elements({ shape }: Pick<Tensor, "shape">): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Number of bytes in storage, a multiple of 4. */
export function byteLength({ shape, dtype }: Pick<Tensor, "shape" | "dtype">): number {
  const { bits, words } = storage(dtype);
  const [count, width] = [elements({ shape }), shape[shape.length - 1]];
  return 4 * (words?.(count / width, width) ?? Math.ceil((count * bits) / 32));
}

/** Name, format and shape, as error messages show them: `lm_head.weight f32[50257,768]`. */
export function describe(t: Tensor): string {
  return `${t.name} ${t.dtype}[${t.shape.join(",")}]`;
}

/** The values of a tensor on the host: f32; u32 and the words of i8 and i4; the bits of f16 and bf16. */
export type TypedArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The bytes of a tensor of `length` elements as the typed array of its format. */
export function typedArray(dtype: DType, buffer: ArrayBuffer, length: number): TypedArray {
  const { group, array } = storage(dtype);
  return group ? new array(buffer) : new array(buffer, 0, length);
}
