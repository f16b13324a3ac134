import { KERNEL_BENCHES } from "../bench/kernels.js";
import { readResults, resultsText } from "../bench/support/results.js";
import * as kernels from "../src/kernels/index.js";
import { assert, readFile, refuses, suite } from "./support/harness.js";

const elsewhere = "what benches say is the same in all runtimes";
const test = suite("benches", { chrome: elsewhere, deno: elsewhere });

const FILE = "bench/results/node-llvmpipe-mesa-25-0-7-2-bpo12-1-l-topk.json";
const stored = async (): Promise<string> => new TextDecoder().decode(await readFile(FILE));

test("every kernel has a bench in the list, and each bench has shapes", () => {
  const names = Object.values(kernels).flatMap((one) =>
    typeof one === "object" && "variants" in one ? [one.name] : [],
  );
  assert.equal(KERNEL_BENCHES.map(({ kernel }) => kernel).sort(), names.sort());
  for (const { shapes } of KERNEL_BENCHES) assert.ok(shapes.length > 0);
});

test("a bench at some of its shapes has these alone", () => {
  const [first] = KERNEL_BENCHES;
  assert.equal(first.at([first.shapes[1], "none of them"]).shapes, [first.shapes[1]]);
});

test("stored results are read, and written as they were", async () => {
  const text = await stored();
  const results = readResults(text, FILE);
  assert.is(results.rows[0].bench, "topk");
  assert.is(resultsText(results), text);
});

test("what is no results is refused, with what is missing", async () => {
  const results = JSON.parse(await stored()) as Record<string, unknown>;
  const without = (name: string): string => JSON.stringify({ ...results, [name]: undefined });
  const refusedAs = (text: string, message: RegExp) => refuses(() => readResults(text, "a.json"), Error, message);
  await refusedAs("no JSON", /^a\.json: must be JSON/);
  await refusedAs("[]", /must be an object of JSON/);
  await refusedAs(without("adapter"), /must have a text adapter/);
  await refusedAs(without("roofs"), /must have roofs with gflop_s/);
  await refusedAs(without("rows"), /must have a list of rows/);
  await refusedAs(JSON.stringify({ ...results, rows: [{ bench: "topk", shape: "x", us: 3 }] }), /row 0 has not/);
});
