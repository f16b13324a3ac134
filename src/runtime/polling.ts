const REST_MS = 0.5; // of every turn of the event loop: what a read comes later at most

interface Global {
  readonly Deno?: unknown;
  readonly setImmediate?: (call: () => void) => void;
}

/**
 * Node's WebGPU polls for a pending read as often as the event loop turns, and so takes a core from an adapter that computes on the
 * same cores. The function returned lets the loop rest for a moment in every turn until a read is there; elsewhere it does nothing.
 */
export function restWhilePolling(): (pending: Promise<unknown>) => void {
  const { Deno, setImmediate } = globalThis as Global;
  if (Deno || !setImmediate) return () => {};
  const cell = new Int32Array(new SharedArrayBuffer(4));
  let reads = 0;
  let resting = false;
  const rest = (): void => {
    resting = reads > 0;
    if (!resting) return;
    Atomics.wait(cell, 0, 0, REST_MS);
    setImmediate(rest);
  };
  const end = (): void => void reads--;
  return (pending) => {
    reads++;
    if (!resting) setImmediate(rest);
    resting = true;
    pending.then(end, end);
  };
}
