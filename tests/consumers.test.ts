import { load } from "../src/index.js";
import { assert, device, folder, suite } from "./support/harness.js";

const elsewhere = "the package is packed and used by a script of Node's";
const test = suite("consumers", { deno: elsewhere, chrome: elsewhere });

type Outcome = Readonly<Record<string, unknown>> & { readonly error?: string };

/** What came of each use of the packed package, by name. */
const run = async (): Promise<Readonly<Record<string, Outcome>>> => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const { stdout } = await promisify(execFile)(process.execPath, ["tests/consumers/run.mjs"]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, Outcome>;
};
let running: ReturnType<typeof run> | undefined;
const outcome = async (name: string): Promise<Outcome> => (await (running ??= run()))[name];

/** What the project's `generate` gives: the same ids in every place. */
const wanted = async (): Promise<Outcome> => {
  const model = await load(folder("tests/fixtures/gpt2"), { gpu: await device() });
  const { sequences } = await model.generate({ input_ids: [[5, 9, 33]] }, { max_new_tokens: 4, num_beams: 2 });
  model.dispose();
  return { sequences, kernel: "attention" };
};

const CHECKED = [
  "publint",
  "are the types wrong",
  "TypeScript with nodenext",
  "TypeScript with bundler",
  "TypeScript without the DOM",
  "Vite",
  "webpack",
  "esbuild",
  "the log of Vite's server",
];
for (const name of CHECKED) test(`${name} finds nothing wrong`, async () => assert.equal(await outcome(name), {}));

const RUN = [
  "Deno",
  "the bundle of Vite",
  "the bundle of webpack",
  "the bundle of esbuild",
  "Vite's server",
  "plain modules",
  "a worker in the bundle of Vite",
  "a worker in the bundle of webpack",
  "a worker of Vite's server",
  "a frame of a sandbox",
  "a page with a process of its own",
  "a page with setImmediate",
  "a page whose caches throw",
];
for (const name of RUN) test(`${name} generates`, async () => assert.equal(await outcome(name), await wanted()));

test("a page with a CDN generates, and loads no other rooms than it enters", async () => {
  const { sequences } = await wanted();
  const rooms = ["decode", "gpt2", "index", "model", "text"]; // no task, no other family
  assert.equal(await outcome("a page with a CDN"), { sequences, rooms });
});

test("require() gives the package, which says that Node needs `webgpu`", async () =>
  assert.equal(await outcome("require"), {
    typed: true,
    message:
      "gpu: in Node the package `webgpu` must be beside wgformer, it was left out as optional; run `npm install webgpu` where wgformer is (with -g if that is global), or `npx -p wgformer -p webgpu wgformer`",
  }));

test("a page that is not secure is told so", async () => {
  const { error } = await outcome("a page that is not secure");
  assert.match(String(error), /^DeviceError: gpu: .*secure context/);
});
