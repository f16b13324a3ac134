import { quantWords } from "./quant.js";

/**
 * Storage formats. Arithmetic is always f32; f16, i8 and i4 are for weights, packed into 32-bit words (i8 and i4 in
 * groups of 32 with a scale each).
 */
export type DType = "f32" | "u32" | "f16" | "i8" | "i4";

/**
 * What memory a tensor has. Weights and states keep theirs until they are freed; an activation has it from the launch
 * that writes it to the last one that reads it.
 */
export type Role = "weight" | "state" | "activation";

/** A name, a format and a shape. The values are kept by the runner, `gpu` or `cpu`. */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly role: Role;
  /** The tensor that owns the memory, if this one is a view of its first elements. */
  readonly base?: Tensor;
}

/** Declares a tensor. It gets memory when a runner first needs it. */
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
export function byteLength(t: Pick<Tensor, "shape" | "dtype">): number {
  if (t.dtype === "i8" || t.dtype === "i4") return 4 * quantWords(t.dtype, elements(t));
  return t.dtype === "f16" ? Math.ceil(elements(t) / 2) * 4 : elements(t) * 4;
}

/** Name, format and shape, as error messages show them: `lm_head.weight f32[50257,768]`. */
export function describe(t: Tensor): string {
  return `${t.name} ${t.dtype}[${t.shape.join(",")}]`;
}

/** The values of a tensor on the host: f32; u32 and the words of i8 and i4; the bits of f16. */
export type TypedArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The bytes of a tensor of `length` elements as the typed array of its format. */
export function typedArray(dtype: DType, buffer: ArrayBuffer, length: number): TypedArray {
  if (dtype === "f32") return new Float32Array(buffer, 0, length);
  if (dtype === "f16") return new Uint16Array(buffer, 0, length);
  return dtype === "u32" ? new Uint32Array(buffer, 0, length) : new Uint32Array(buffer);
}
