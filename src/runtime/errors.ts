/**
 * Base of all errors that wgformer throws on purpose. The message says who, what must be, what was given, and the cure.
 */
export class WgformerError extends Error {
  override readonly name: string = "WgformerError";
}

/** A kernel was recorded with arguments that do not fit its patterns. */
export class ShapeError extends WgformerError {
  override readonly name = "ShapeError";
}

/** A checkpoint is missing, truncated, malformed or not of the stated architecture; lists every fault found. */
export class CheckpointError extends WgformerError {
  override readonly name = "CheckpointError";
}

/** There is no WebGPU device, it was lost, a limit is too low, or a shader did not compile. */
export class DeviceError extends WgformerError {
  override readonly name = "DeviceError";
}

/** Token ids, masks or texts that the model cannot take. */
export class InputError extends WgformerError {
  override readonly name = "InputError";
}

/** An unknown option, or an option with a value outside its range. */
export class OptionError extends WgformerError {
  override readonly name = "OptionError";
}

/** A value as error messages show it, at most 60 characters. JSON has neither bigint nor NaN. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}n` : item));
  return (typeof value === "bigint" ? `${value}n` : (text ?? String(value))).slice(0, 60);
}
