import { InputError } from "../runtime/errors.js";

/** Runs a call; what it uses stays on the device until it ends. Throws InputError when that is already disposed of. */
export type KeepAlive = <T>(call: () => Promise<T>) => Promise<T>;

/** Keeps something alive during calls: its memory is freed by `dispose()`, or at the end of the last call in flight. */
export interface Lifetime {
  readonly keepAlive: KeepAlive;
  /** Whether `dispose()` was called. */
  readonly ended: boolean;
  /** Throws InputError after `dispose()`. */
  check(): void;
  /** Ends it; a second time does nothing. */
  dispose(): void;
}

/**
 * A lifetime at whose end `free` is called; messages call it `name`, and `again` is how to get another. Before a call,
 * `ready` is: undefined if what is kept alive can be used at once, and else a promise that the call waits for.
 */
export function createLifetime(
  name: string,
  again: string,
  free: () => void,
  ready: () => Promise<void> | undefined = () => undefined,
): Lifetime {
  let ended = false;
  let calls = 0;
  const check = (): void => {
    if (ended) throw new InputError(`${name}: must not be used after dispose(); ${again}`);
  };
  return {
    check,
    get ended() {
      return ended;
    },
    async keepAlive(call) {
      check();
      calls++;
      try {
        const waiting = ready();
        return await (waiting ? waiting.then(call) : call()); // a call reads its arguments at once if it can
      } finally {
        if (--calls === 0 && ended) free();
      }
    },
    dispose() {
      if (ended) return;
      ended = true;
      if (calls === 0) free();
    },
  };
}
