import type { Gpu } from "../runtime/gpu.js";
import type { Architecture } from "./architecture.js";
import type { Pool } from "./pool.js";
import type { Weights } from "./weights.js";

/** A loaded model, as the three levels (`Encoder`, `Decoder`, `Decoding`) see it. */
export interface Core {
  readonly gpu: Gpu;
  readonly a: Architecture;
  readonly w: Weights;
  readonly pool: Pool;
}

/** Runs a call on the model, which stays on the device until the call ends. Throws InputError once the model is disposed. */
export type During = <T>(call: () => Promise<T>) => Promise<T>;

/** A tensor on the host, named by its place in a result. */
export interface HostTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Packed rows back at their places in [B, width, ...]: zeros where the caller had padding. */
export function unpack(
  packed: Float32Array,
  ids: readonly { readonly length: number }[],
  offsets: readonly number[],
  width: number,
  columns: number,
): HostTensor {
  const data = new Float32Array(ids.length * width * columns);
  let first = 0;
  ids.forEach(({ length }, b) => {
    data.set(packed.subarray(first * columns, (first + length) * columns), (b * width + offsets[b]) * columns);
    first += length;
  });
  return { dims: [ids.length, width, columns], data };
}
