import * as assert from "uvu/assert";
import { type Gpu, gpu as openGpu } from "../../src/runtime/gpu.js";

export { assert };
export { randoms } from "./random.js";

const { Deno, document } = globalThis as { Deno?: unknown; document?: unknown };
type Runtime = "chrome" | "deno" | "node";
export const runtime: Runtime = document ? "chrome" : Deno ? "deno" : "node";

/** Runtimes that leave a test out, each with the reason for the report. */
export type Except = Readonly<Partial<Record<Runtime, string>>>;
/** The body of a test. If it returns a text, it could not run here, for that reason. */
type Body = () => void | string | Promise<void | string>;
/** Declares a test in a suite. */
export type Test = (title: string, body: Body, except?: Except) => void;

interface Suite {
  readonly name: string;
  readonly tests: Declared[];
}

interface Declared {
  readonly title: string;
  readonly body: Body;
  readonly obstacle?: string;
  /** The stack of the declaration. */
  readonly declared: string;
}

/** The result of a run of all suites. */
export interface Report {
  passed: number;
  /** What went wrong, with stacks as this runtime gives them: of the error and of the test's declaration. */
  readonly failures: {
    readonly suite: string;
    readonly title: string;
    readonly error: string;
    readonly declared: string;
  }[];
  /** Tests that did not run, by the reason. */
  readonly skipped: Record<string, number>;
  readonly seconds: Record<string, number>;
}

const suites: Suite[] = [];

/** A named group of tests, which a test file declares and `runAll` runs. */
export function suite(name: string, exceptAll: Except = {}): Test {
  const tests: Declared[] = [];
  suites.push({ name, tests });
  return (title, body, except = exceptAll) =>
    void tests.push({ title, body, obstacle: except[runtime], declared: new Error().stack ?? "" });
}

let shared: Promise<Gpu> | undefined;

/** Large sets are run in full in Node; elsewhere only one of this many items is. */
export const share = runtime === "node" ? 1 : 10;

/** One device for all tests, with guard words after every tensor. */
export function device(): Promise<Gpu> {
  return (shared ??= openGpu({ guard: true, tuned: false }));
}

const { env = {} } = (globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } }).process ?? {};

/**
 * Runs all declared suites, or of each the tests whose titles match WGFORMER_TITLES of the environment, and prints a line
 * for each; with WGFORMER_PART "i/n" one of n parts of these. A run without tests fails.
 */
export async function runAll(): Promise<Report> {
  const report: Report = { passed: 0, failures: [], skipped: {}, seconds: {} };
  const titles = new RegExp(env.WGFORMER_TITLES ?? "");
  const [part, parts] = (env.WGFORMER_PART ?? "0/1").split("/").map(Number);
  for (const { name, tests } of suites) {
    const wanted = tests.filter(({ title }) => titles.test(title)).filter((_, i) => i % parts === part);
    if (wanted.length) await runSuite({ name, tests: wanted }, report);
  }
  if (shared) (await shared).dispose();
  if (report.passed + report.failures.length === 0) throw new Error("no test was run");
  return report;
}

async function runSuite({ name, tests }: Suite, report: Report): Promise<void> {
  const start = performance.now();
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const { title, body, obstacle, declared } of tests) {
    try {
      const reason = obstacle ?? (await body());
      if (typeof reason === "string") {
        count.skipped++;
        report.skipped[reason] = (report.skipped[reason] ?? 0) + 1;
      } else count.passed++;
    } catch (error) {
      count.failed++;
      report.failures.push({ suite: name, title, error: describe(error), declared });
      console.log(`${runtime}  ${name}: FAILED: ${title}`);
    }
  }
  report.passed += count.passed;
  const seconds = (performance.now() - start) / 1e3;
  report.seconds[name] = (report.seconds[name] ?? 0) + seconds;
  const counts = Object.entries(count).flatMap(([kind, tests]) => (tests ? [`${tests} ${kind}`] : []));
  console.log(`${runtime}  ${name}: ${counts.join(", ")}  ${seconds.toFixed(1)} s`);
}

/** Message, difference and stack of an error. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const { message, stack = "", cause } = error;
  const { details } = error as { details?: string | false }; // of assert: what was expected and what came
  const frames = stack.includes("\n    at ") ? stack.slice(stack.indexOf("\n    at ")) : "";
  return [message, details ?? "", frames, cause ? `caused by ${describe(cause)}` : ""].filter(Boolean).join("\n");
}

/** A folder of the repository as the source of a checkpoint. */
export const folder = (path: string): string | URL => (runtime === "chrome" ? new URL(path, location.href) : path);

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
  const { message: given } = error as Error;
  assert.ok(message.test(given), `must say ${message}, said: ${given}`);
}
