import { assert, suite } from "./support/harness.js";

const elsewhere = "what a page loads is measured in Node";
const test = suite("sizes", { deno: elsewhere, chrome: elsewhere });

/**
 * The most that a program may load, in kB with gzip: what it imports from the package, bundled as Vite does, and the rooms
 * that it then enters with a model of the smallest family that it takes.
 */
const MOST: Readonly<Record<string, number>> = {
  gpu: 12.5,
  load: 69,
  featureExtraction: 88.5,
  tokenClassification: 87.5,
  textGeneration: 141,
  speechRecognition: 146,
  everything: 230,
};

/** Bytes of each program. */
const measure = async (): Promise<Readonly<Record<string, number>>> => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const { stdout } = await promisify(execFile)(process.execPath, ["tests/consumers/sizes.mjs"]);
  return JSON.parse(stdout) as Record<string, number>;
};

test("what programs load", async () => {
  const sizes = await measure();
  const heavy = Object.entries(sizes).filter(([name, size]) => size > 1000 * MOST[name]);
  assert.equal(Object.keys(sizes), Object.keys(MOST));
  assert.equal(heavy, [], "kB at most: a room that need not be loaded may be behind import()");
});
