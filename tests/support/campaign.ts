// Seeded campaigns: many drawn cases, each of which must end well or in a typed error. `npm run torture` repeats them.
import { WgformerError } from "../../src/runtime/errors.js";
import { runtime, share } from "./harness.js";
import { randoms } from "./random.js";

const { env = {} } = (globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } }).process ?? {};

/** The seed of this run: the same in every run of the tests, another in each round of `npm run torture`. */
export const seed = Number(env.WGFORMER_SEED ?? 1);

/** Whether a seed was given, as `npm run torture` does: then there is time for more cases than in every run. */
export const torturing = env.WGFORMER_SEED !== undefined;

/** Draws, the same for one seed and case. */
export interface Dice {
  /** A number in [0, 1). */
  random(): number;
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
  /** Whether something of this probability happens. */
  chance(probability: number): boolean;
}

/** Dice of a seed of their own, for what is not drawn case by case. */
export function dice(start: number): Dice {
  const signed = randoms(start);
  const random = () => (signed() + 1) / 2;
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  return { random, whole, pick: (list) => list[whole(0, list.length - 1)], chance: (p) => random() < p };
}

/** How much of a campaign is run. */
export interface Budget {
  /** The number of cases in Node; other runtimes run a share. */
  readonly cases: number;
  /** No case starts after this many seconds. Default 30. */
  readonly seconds?: number;
  /** A case that takes longer counts as one that never ends. Default 60 seconds. */
  readonly patience?: number;
}

/** Cases by the name of their outcome. */
export type Counts = Record<string, number>;

const FAILURES = 10; // that a campaign collects before it stops

/**
 * Runs `body` on drawn cases and prints how many had which outcome. `body` returns the name of the outcome: "right"
 * after it has checked the result, see `outcome` for typed errors. Anything that it throws, a case that does not end and
 * a rejection that nobody handles are failures, which are thrown at the end with the seed and the number of their case.
 * The environment variable WGFORMER_CASE runs one case only.
 */
export async function campaign(
  name: string,
  { cases, seconds = 30, patience = 60 }: Budget,
  body: (dice: Dice, index: number) => Promise<string>,
): Promise<Counts> {
  const counts: Counts = {};
  const failures: string[] = [];
  const start = performance.now();
  const strays = watchRejections();
  const only = env.WGFORMER_CASE === undefined ? undefined : Number(env.WGFORMER_CASE);
  const last = only ?? Math.ceil(cases / share) - 1;
  for (let index = only ?? 0; index <= last && failures.length < FAILURES; index++) {
    if (performance.now() - start > 1e3 * seconds) break;
    const kind = await within(patience, body(dice(seed * 1e6 + index), index)).catch((error: unknown) => {
      failures.push(`case ${index}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return "FAILED";
    });
    for (const stray of strays.take()) failures.push(`case ${index}: a rejection that nobody handles: ${stray}`);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  strays.end();
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const shown = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`);
  console.log(`${runtime}  campaign ${name}: ${total} cases of seed ${seed}: ${shown.join(", ")}`);
  if (failures.length) throw new Error(`${name}, WGFORMER_SEED=${seed}\n${failures.join("\n")}`);
  return counts;
}

/** "right" when `body` ends, the class of the error when it throws a typed one. Anything else it throws is thrown on. */
export async function outcome(body: () => unknown): Promise<string> {
  try {
    await body();
    return "right";
  } catch (error) {
    if (error instanceof WgformerError) return error.name;
    throw error;
  }
}

async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`has not ended after ${seconds} s`)), 1e3 * seconds);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

interface Rejections {
  on?(type: "unhandledRejection", call: (reason: unknown) => void): void;
  off?(type: "unhandledRejection", call: (reason: unknown) => void): void;
}

/** Collects rejections that nobody handles, which otherwise end the process. */
function watchRejections() {
  let found: string[] = [];
  const add = (reason: unknown) => void found.push(String(reason));
  const onEvent = (event: Event) => {
    event.preventDefault();
    add((event as PromiseRejectionEvent).reason);
  };
  const node = runtime === "node" ? (globalThis as { process?: Rejections }).process : undefined;
  if (node) node.on?.("unhandledRejection", add);
  else globalThis.addEventListener("unhandledrejection", onEvent);
  return {
    take: () => found.splice(0),
    end() {
      node?.off?.("unhandledRejection", add);
      if (!node) globalThis.removeEventListener("unhandledrejection", onEvent);
      found = [];
    },
  };
}

/** What became of a process. */
export interface Ended<Output> {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  /** What its body returned, if it came so far. */
  readonly output?: Output;
  /** The last of what it wrote on standard error. */
  readonly errors: string;
  /** Its largest resident set, of all that it did. */
  readonly megabytes?: number;
}

const MARK = "\u0001result\u0001";

/**
 * Declares what a Node process of its own can run, for what may end or exhaust a process. Must be awaited at the top level
 * of a test file; the result runs `body` in a new process on an input that JSON can carry. A process that has not ended
 * after `seconds` (default 60) is killed: its signal is then SIGKILL. `flags` are options of Node.
 */
export async function inProcess<Input, Output>(
  name: string,
  body: (input: Input) => Output | Promise<Output>,
): Promise<
  (input: Input, settings?: { seconds?: number; flags?: readonly string[]; env?: object }) => Promise<Ended<Output>>
> {
  if (runtime === "node" && env.WGFORMER_PROCESS === name) {
    const { readFileSync, writeSync } = await import("node:fs");
    const output = await body(JSON.parse(readFileSync(0, "utf8")) as Input);
    const megabytes = process.resourceUsage().maxRSS / 1024;
    writeSync(1, MARK + JSON.stringify({ output, megabytes }));
    process.exit();
  }
  return async (input, { seconds = 60, flags = [], env: more = {} } = {}) => {
    const { spawn } = await import("node:child_process");
    const child = spawn(process.execPath, [...flags, process.argv[1]], {
      env: { ...process.env, ...more, WGFORMER_PROCESS: name },
      timeout: 1e3 * seconds,
      killSignal: "SIGKILL",
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr = (stderr + chunk).slice(-4000)));
    child.stdin.on("error", () => {}); // it may have ended before it read all
    child.stdin.end(JSON.stringify(input));
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once("close", (...ends) => resolve(ends)),
    );
    const [, result] = stdout.split(MARK);
    const told = result ? (JSON.parse(result) as Pick<Ended<Output>, "output" | "megabytes">) : {};
    return { code, signal, errors: stderr, ...told };
  };
}
