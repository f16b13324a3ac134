// What else the machine does meanwhile (Node, Deno).
import { cpus } from "node:os";
import process from "node:process";

/** Starts to count, and returns a function that says how many cores all other processes took since. */
export function watchOthers() {
  const busy = () => cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  const [all, own, start] = [busy(), process.cpuUsage(), performance.now()];
  return () => {
    const { user, system } = process.cpuUsage(own);
    return Math.max(0, (busy() - all - (user + system) / 1e3) / (performance.now() - start));
  };
}
