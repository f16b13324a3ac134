import { isNode } from "./builtin.js";
import { hostObject } from "./host.js";

const SLEEP_MS = 0.5; // in every turn of the event loop; a read comes at most this much later

/**
 * In Node, WebGPU polls for a pending read in every turn of the event loop, and so takes a core away from an adapter
 * that computes on the CPU. The returned function makes the loop sleep for a moment in every turn until `pending` is
 * settled. In other runtimes it does nothing.
 */
export function throttlePolling(): (pending: Promise<unknown>) => void {
  const setImmediate = hostObject("setImmediate");
  if (!isNode() || hostObject("navigator")?.gpu || !setImmediate) return () => {}; // pages may have it from a polyfill
  const cell = new Int32Array(new SharedArrayBuffer(4));
  let reads = 0;
  let sleeping = false;
  const sleep = (): void => {
    sleeping = reads > 0;
    if (!sleeping) return;
    Atomics.wait(cell, 0, 0, SLEEP_MS);
    setImmediate(sleep);
  };
  const end = (): void => void reads--;
  return (pending) => {
    reads++;
    if (!sleeping) setImmediate(sleep);
    sleeping = true;
    pending.then(end, end);
  };
}
