import { exec, suite as uvuSuite } from "uvu";
import * as assert from "uvu/assert";
import { type Gpu, gpu as openGpu } from "../../src/runtime/gpu.js";

export { assert };

const { Deno, document } = globalThis as { Deno?: unknown; document?: unknown };
type Runtime = "chrome" | "deno" | "node";
export const runtime: Runtime = document ? "chrome" : Deno ? "deno" : "node";

/** Runtimes that leave a test out, each with the reason that the report gives. */
type Except = Readonly<Partial<Record<Runtime, string>>>;
/** A body that returns a text could not run here, and tells why. */
type Body = () => void | string | Promise<void | string>;
type Test = (name: string, body: Body, except?: Except) => void;
const counts = { passed: 0, failed: 0 };
const skipped = new Map<string, number>(); // tests by reason
const suites: { run(): void }[] = [];

/** A named group of tests. The harness runs and counts it; a test file only declares. */
export function suite(name: string, exceptAll: Except = {}): Test {
  const group = uvuSuite(`${runtime} ${name}`);
  suites.push(group);
  const skip = (reason: string): void => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  return (title, body, except = exceptAll) => {
    const reason = except[runtime];
    if (reason) {
      skip(reason);
      group.skip(title);
      return;
    }
    group(title, async () => {
      try {
        const obstacle = await body();
        if (obstacle) skip(obstacle);
        else counts.passed++;
      } catch (error) {
        counts.failed++;
        throw error;
      }
    });
  };
}

let shared: Promise<Gpu> | undefined;

/** One device for all tests, with guard words after every tensor. */
export function device(): Promise<Gpu> {
  return (shared ??= openGpu({ guard: true, tuned: false }));
}

/** Runs every suite declared so far; the last lines tell what was skipped and the counts. A run without tests fails. */
export async function runAll(): Promise<boolean> {
  for (const group of suites) group.run();
  await exec();
  if (shared) (await shared).dispose();
  if (counts.passed + counts.failed === 0) throw new Error("no test was run");
  for (const [reason, count] of skipped) console.log(`\nskipped ${count}: ${reason}`);
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0;
}

/** A file of the repository. */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (runtime === "chrome") return new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer());
  return new Uint8Array(await (await import("node:fs/promises")).readFile(path));
}

export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readFile(path))) as T;
}

/** Asserts that `body` fails with an error of this class whose message matches. */
export async function refuses(
  body: () => unknown,
  kind: abstract new (...args: never[]) => Error,
  message: RegExp,
): Promise<void> {
  let error: unknown;
  try {
    await body();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `must throw ${kind.name}, nothing was thrown`);
  assert.instance(error, kind, `must be ${kind.name}, got ${String(error)}`);
  assert.match((error as Error).message, message);
}

/** Uniform numbers in [-1, 1), the same in every run (mulberry32). */
export function randoms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
