import { pipeline } from "../src/index.js";
import { assert, device, folder, suite } from "./support/harness.js";

const elsewhere = "the page is built and driven by a script of Node's";
const test = suite("page", { deno: elsewhere, chrome: elsewhere });

type Outcome = Readonly<Record<string, unknown>>;

/** What came of each use of the page, by name. */
const run = async (): Promise<Readonly<Record<string, Outcome>>> => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const { stdout } = await promisify(execFile)(process.execPath, ["tests/page/run.mjs"]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, Outcome>;
};
let running: ReturnType<typeof run> | undefined;
const outcome = async (name: string): Promise<Outcome> => (await (running ??= run()))[name];

const PRONUNCIATIONS = [
  "T R AE0 N S F AO1 R M ER0",
  "T R AE2 N S F AO1 R M ER0",
  "T R AE1 N S F AO2 R M ER0",
  "T R AE0 N Z F AO1 R M ER0",
];

test("the keyboard alone leads to the tabs, the four pronunciations of a word, and what became of a token", async () => {
  const { tree, said, ...seen } = await outcome("keyboard");
  assert.equal(seen, {
    asked: 0, // devices before anything was pressed
    second: "Attention",
    last: "Benchmark",
    results: PRONUNCIATIONS,
    actions: ["Force this beginning", "Alternatives from here"],
  });
  assert.equal((tree as string[]).sort(), [...PRONUNCIATIONS].sort());
  assert.match(String(said), /^T IY1 · probability 0\.001 · score -3\.47\d · kept: number 2/);
});

test("a beam that is forced begins all results", async () => {
  const { results } = (await outcome("forcing")) as { results: string[] };
  assert.is(results.length, 4);
  for (const result of results) assert.match(result, /^Y /);
});

test("another option makes another tree, and stands in the address", async () => {
  const { groups, link } = await outcome("options");
  assert.is(groups, 2);
  assert.match(String(link), /^#beams\?word=transformer&W=2&.*groups=2/);
});

test("a device that was lost is replaced", async () =>
  assert.equal(await outcome("a lost device"), { before: 1, after: 2, results: PRONUNCIATIONS }));

test("a folder that is dropped is described, loaded, run and disposed of", async () => {
  const write = await pipeline("text2text", folder("tests/fixtures/t5-texts"), { gpu: await device() });
  const wanted = await write("the house is wonderful.", { num_beams: 4, num_return_sequences: 4 });
  write.dispose();
  const { plan, ...seen } = await outcome("a folder");
  assert.equal(seen, { task: "text2text", texts: wanted.map(({ generated_text }) => generated_text), left: 0 });
  assert.ok((plan as string[]).includes("Weights on the device"));
});

test("a model of the Hub is named, looked at, loaded, and removed from what the browser keeps", async () =>
  assert.equal(await outcome("a model of the Hub"), {
    link: "#model?id=tests%2Ft5",
    kept: "None yet. Models of the Hub are kept after their first download.",
  }));

test("the benchmark measures the two kernels of a link, and each matches its reference", async () => {
  const { kernels, plots } = (await outcome("benchmark")) as { kernels: string[]; plots: number };
  assert.is(plots, 1);
  const measured = kernels.filter((text) => text.includes("✓"));
  assert.is(measured.length, 6);
  assert.ok(kernels.some((text) => text.startsWith("pooling")) && kernels.some((text) => text.startsWith("rope")));
});

test("attention is drawn, told for a phoneme and for a cell by the keyboard, and drawn again after its tab was left", async () => {
  const { colours, said, cell, again } = await outcome("attention");
  for (const count of colours as number[]) assert.ok(count > 5, `${count} colours`);
  assert.match(String(said), /^N looks at n (9\d|100) %/);
  assert.is(cell, "R looks at t with 0.0 %.");
  assert.ok((again as number[])[1] > 5);
});

test("a text grows token by token, and goes on from a word that was taken", async () => {
  const { text, word, tokens } = (await outcome("writing")) as { text: string; word: string; tokens: string[] };
  assert.is(text, "The jury said, \"I don't");
  assert.equal(tokens.slice(0, 3), [",", ' "', word]);
  assert.is(tokens.length, 8);
});

test("every launch of an encoder is verified, timed, and shown with its shader", async () => {
  const { verdict, shader, ...counts } = await outcome("inside");
  assert.match(String(verdict), /^All 29 launches agree/);
  assert.equal(counts, { launches: 29, dots: 29 });
  assert.match(String(shader), /^\/\/ attention: directly.*fn main\(/s);
});

test("results of a file are compared with others, and a link holds them", async () => {
  const { compared, linked } = (await outcome("results")) as { compared: string[]; linked: string[] };
  assert.equal(compared, Array(11).fill("the same"));
  assert.is(linked.length, 11);
  assert.is(linked[0], "44.7 µs");
});

test("a step is predicted from the roofs of the device, and run, each kind of launch beside what it takes", async () => {
  const { summary, kinds, times, bounds } = await outcome("prediction");
  assert.match(String(summary), /^Predicted [\d.]+ ms; measured [\d.]+ ms launch by launch, [\d.]+ ms in one go\.$/);
  assert.ok((kinds as number) > 8);
  assert.is((times as string[]).length, 2 * (kinds as number));
  for (const time of times as string[]) assert.match(time, /^[\d.,]+ (µs|ms)$/);
  for (const bound of bounds as string[]) assert.ok(["memory", "arithmetic", "waits", "launch"].includes(bound), bound);
});

test("the site is less than 400 kB as it is sent", async () => {
  const { sent } = (await outcome("size")) as { sent: number };
  assert.ok(sent < 400e3, `${sent} bytes`);
});

test("a browser without WebGPU is told what to do", async () =>
  assert.match(String(await outcome("without WebGPU")), /^This browser gives no WebGPU device\. .*Chrome/));

test("no view is wider than a phone, and the page asks nobody else and logs no fault", async () => {
  assert.equal(await outcome("pictures"), { wide: [] });
  assert.equal(await outcome("faults"), []);
});
