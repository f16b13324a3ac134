import type { Values } from "./kernel.js";
import type { Plan, Launch } from "./plan.js";
import { elements, owner, storage, type Tensor, type TypedArray } from "./tensor.js";

/** Runs plans through the kernels' references, in f64: the oracle of tests, and a way to run a model without a GPU. */
export interface Cpu {
  /** Sets the values of a tensor, from its first element on; f16, bf16, i8 and i4 as `gpu` stores them. */
  write(t: Tensor, data: TypedArray): void;
  /** The values of any tensor, activations included: a view of the memory, not a copy. */
  read(t: Tensor): Float64Array;
  /** Runs all launches of a plan. */
  run(plan: Plan): void;
  /** Runs one launch. */
  launch(launch: Launch): void;
}

/**
 * A runner of plans in f64. Tensors are zero until they are written.
 *
 * @example
 * const oracle = cpu();
 * const x = tensor("x", "f32", [2, 3]);
 * oracle.write(x, Float32Array.of(1, 2, 3, 4, 5, 6));
 * console.log(oracle.read(x)); // in f64
 */
export function cpu(): Cpu {
  const arrays = new Map<Tensor, Float64Array>();
  const array = (t: Tensor): Float64Array => {
    const root = owner(t);
    const known = arrays.get(root) ?? new Float64Array(elements(root));
    arrays.set(root, known);
    return t === root ? known : known.subarray(0, elements(t));
  };
  const launch = ({ kernel, tensors, dims }: Launch): void => {
    const values: Record<string, Values> = {};
    for (const [name, t] of Object.entries(tensors)) if (t) values[name] = array(t);
    kernel.reference(dims, values);
  };
  return {
    launch,
    read: array,
    run: (plan) => plan.launches.forEach(launch),
    write(t, data) {
      const { decode } = storage(t.dtype);
      array(t).set(decode ? decode(data, t.shape[t.shape.length - 1]) : data);
    },
  };
}
