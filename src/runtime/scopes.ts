import { DeviceError, WgformerError } from "./errors.js";

const FILTERS: readonly GPUErrorFilter[] = ["validation", "out-of-memory", "internal"];

/** What own work gave, and what the device finds wrong with it. */
export interface Scoped<T> {
  readonly value: T;
  /** The first error that the device reports of the work. Never rejects. */
  readonly fault: Promise<WgformerError | undefined>;
}

/**
 * Does synchronous work in error scopes of its own: errors of other code on the device are not taken for ours, and open
 * scopes of the application do not swallow ours. Throws DeviceError when a call of WebGPU throws.
 */
export function scoped<T>(device: GPUDevice, what: string, work: () => T): Scoped<T> {
  const open: GPUErrorFilter[] = [];
  const close = (): Promise<(WgformerError | undefined)[]> =>
    Promise.all(open.map((filter) => closeScope(device, filter, what)));
  try {
    for (const filter of FILTERS) {
      device.pushErrorScope(filter);
      open.unshift(filter);
    }
    const value = work();
    return { value, fault: close().then((faults) => faults.find((fault) => fault !== undefined)) };
  } catch (cause) {
    void close();
    throw deviceError(what, cause);
  }
}

async function closeScope(device: GPUDevice, filter: GPUErrorFilter, what: string): Promise<WgformerError | undefined> {
  try {
    const error = await device.popErrorScope();
    if (!error) return undefined;
    const cure = filter === "out-of-memory" ? "; use fewer rows or beams, or a smaller dtype" : "";
    return new DeviceError(`gpu: ${what}: ${filter} error: ${error.message.trim()}${cure}`, { cause: error });
  } catch (cause) {
    return deviceError(what, cause);
  }
}

/** An error of a WebGPU call as DeviceError; our own errors stay what they are. */
export function deviceError(what: string, cause: unknown): WgformerError {
  if (cause instanceof WgformerError) return cause;
  return new DeviceError(`gpu: ${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

/** A promise that others await later, if at all: its rejection counts as handled from the beginning. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
