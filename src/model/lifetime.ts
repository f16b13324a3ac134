import { InputError } from "../runtime/errors.js";

/** Runs a call; the model stays on the device until it ends. Throws InputError when the model is already disposed. */
export type KeepAlive = <T>(call: () => Promise<T>) => Promise<T>;

/** Keeps a model alive during calls: its memory is freed by `dispose()`, or at the end of the last call in flight. */
export interface Lifetime {
  readonly keepAlive: KeepAlive;
  /** Ends the model; a second time does nothing. */
  dispose(): void;
}

/** A lifetime at whose end `free` is called. */
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
