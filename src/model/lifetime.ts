import { InputError } from "../runtime/errors.js";

/** Runs a call on the model, which stays on the device until the call ends. Throws InputError once the model is disposed. */
export type KeepAlive = <T>(call: () => Promise<T>) => Promise<T>;

/** Calls on a model, and its end: memory goes with `dispose()`, or with the last call in flight. */
export interface Lifetime {
  readonly keepAlive: KeepAlive;
  dispose(): void;
}

/** A lifetime that ends with `free()`. */
export function createLifetime(free: () => void): Lifetime {
  let disposed = false;
  let calls = 0;
  return {
    async keepAlive(call) {
      if (disposed) throw new InputError("model: must not be used after dispose(); load it again");
      calls++;
      try {
        return await call();
      } finally {
        if (--calls === 0 && disposed) free();
      }
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      if (calls === 0) free();
    },
  };
}
