import type { Gpu } from "../runtime/gpu.js";
import { type DType, type Tensor, tensor, type TypedArray } from "../runtime/tensor.js";

/** Tensors of one call, which are freed together. */
export interface Held {
  make(name: string, dtype: DType, shape: readonly number[]): Tensor;
  /** A tensor with these values: u32, or else f32. */
  put(name: string, shape: readonly number[], values: TypedArray): Tensor;
  free(): void;
}

/** Tensors on a device, none at first. */
export function holdTensors({ memory, write }: Gpu): Held {
  const all: Tensor[] = [];
  const make: Held["make"] = (name, dtype, shape) => {
    const made = tensor(name, dtype, shape);
    all.push(made);
    return made;
  };
  return {
    make,
    put(name, shape, values) {
      const made = make(name, values instanceof Uint32Array ? "u32" : "f32", shape);
      write(made, values);
      return made;
    },
    free: () => memory.free(all),
  };
}
