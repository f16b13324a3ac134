// What all parts share in Node and Deno: where things lie, the reference cases, and what else the machine does.
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const here = fileURLToPath(new URL(".", import.meta.url));
export const models = fileURLToPath(new URL("../../models/", import.meta.url));

export const readCases = (model) => JSON.parse(readFileSync(`${models}${model}/golden.json`, "utf8")).cases;

/** Starts to count, and returns a function that says how many cores all other processes took since. */
export function watchOthers() {
  const busy = () => cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  const [all, own, start] = [busy(), process.cpuUsage(), performance.now()];
  return () => {
    const { user, system } = process.cpuUsage(own);
    return Math.max(0, (busy() - all - (user + system) / 1e3) / (performance.now() - start));
  };
}
