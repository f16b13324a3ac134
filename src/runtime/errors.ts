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
  /** Which one of a list of inputs it is about; undefined where there is no list, or it is about all. */
  readonly index?: number;

  constructor(message: string, { cause, index }: ErrorOptions & { readonly index?: number } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.index = index;
  }
}

/** An unknown option, or an option with a value outside its range. */
export class OptionError extends WgformerError {
  override readonly name = "OptionError";
}

/** An engine has as many requests waiting as it takes; a later one may find room. */
export class EngineFullError extends WgformerError {
  override readonly name = "EngineFullError";
}

/** A value as error messages show it, at most 60 characters. Never throws: not for cycles, nor for a caller's getters. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    return (JSON.stringify(value, shorter) ?? String(value)).slice(0, SHOWN);
  } catch {
    return "what JSON cannot hold";
  }
}

const SHOWN = 60; // characters, and items of a list

/** An item for JSON, which has neither bigint nor typed arrays: no more of it than a message shows. */
function shorter(_: string, item: unknown): unknown {
  if (typeof item === "bigint") return `${item}n`;
  if (typeof item === "string" || Array.isArray(item)) return item.slice(0, SHOWN);
  if (ArrayBuffer.isView(item) && "length" in item)
    return Array.from((item as Uint8Array | BigInt64Array).subarray(0, SHOWN) as ArrayLike<unknown>);
  return item;
}
