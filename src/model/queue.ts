/** Runs a call after all that were queued before it have ended, well or not. */
export type Queue = <T>(call: () => Promise<T>) => Promise<T>;

/** A queue, empty at first. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const own = last.then(call);
    last = own.catch(() => {});
    return own;
  };
}
