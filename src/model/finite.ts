import { InputError } from "../runtime/errors.js";

/** Whether none of these values is NaN or infinite. */
export function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]) < Infinity)) return false; // faster than `every`
  return true;
}

/** Throws InputError, naming the caller's row, when a result of that row has other values than finite ones. */
export function checkFinite(name: string, values: Float32Array, row: number): void {
  if (!allFinite(values))
    throw new InputError(`${name}: must be finite, row ${row} has other values; the weights or a kernel overflow`);
}
