import { quantWords } from "./quant.js";

/** Storage formats. Arithmetic is always f32; f16, i8 and i4 are for weights: values packed into 32-bit words, see quant.ts. */
export type DType = "f32" | "u32" | "f16" | "i8" | "i4";

/** Weights and state live as long as their owner; an activation lives from the launch that writes it to the last that reads it. */
export type Role = "weight" | "state" | "activation";

/** A name, a format and a shape. Where the values lie is the business of the runner (`gpu` or `cpu`). */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly role: Role;
  /** The tensor that owns the memory, when this one is a view of its first elements. */
  readonly base?: Tensor;
}

export function tensor(name: string, dtype: DType, shape: readonly number[], role: Role = "state"): Tensor {
  return { name, dtype, shape, role };
}

/** The first elements of `base` seen with a smaller shape. */
export function prefix(base: Tensor, shape: readonly number[]): Tensor {
  if (elements({ shape }) > elements(base)) {
    throw new RangeError(`prefix: a view of ${describe(base)} must not be larger, got [${shape}]`);
  }
  return { name: base.name, dtype: base.dtype, shape, role: base.role, base: owner(base) };
}

/** The tensor that owns the memory: itself, unless it is a view. */
export function owner(t: Tensor): Tensor {
  return t.base ?? t;
}

export function elements({ shape }: Pick<Tensor, "shape">): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of storage, a multiple of 4. */
export function byteLength(t: Pick<Tensor, "shape" | "dtype">): number {
  if (t.dtype === "i8" || t.dtype === "i4") return 4 * quantWords(t.dtype, elements(t));
  return t.dtype === "f16" ? Math.ceil(elements(t) / 2) * 4 : elements(t) * 4;
}

export function describe(t: Tensor): string {
  return `${t.name} ${t.dtype}[${t.shape.join(",")}]`;
}

export type TypedArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The bytes of a tensor as its format's typed array (f16: raw halves in a Uint16Array; i8, i4: all words). */
export function typedArray(dtype: DType, buffer: ArrayBuffer, length: number): TypedArray {
  if (dtype === "f32") return new Float32Array(buffer, 0, length);
  if (dtype === "f16") return new Uint16Array(buffer, 0, length);
  return dtype === "u32" ? new Uint32Array(buffer, 0, length) : new Uint32Array(buffer);
}
