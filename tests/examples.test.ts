import { assert, readFile, suite } from "./support/harness.js";

const read = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path));

const test = suite("examples", { deno: "examples run in Node", chrome: "examples run in Node" });
const EXAMPLES = [
  "alternatives",
  "beam_tree",
  "decoder",
  "encoder",
  "encoder_outputs",
  "graph",
  "kernel",
  "past",
  "score",
  "serve",
  "speech_recognition",
  "text2text",
  "text_generation",
  "token_classification",
];

test("all are tested", async () => {
  const { readdir } = await import("node:fs/promises");
  const names = (await readdir("examples")).filter((name) => name.endsWith(".mjs"));
  assert.equal(
    names.sort(),
    EXAMPLES.map((name) => `${name}.mjs`),
  );
});

/** What each example prints, all run side by side. */
const run = async (): Promise<ReadonlyMap<string, string>> => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const printed = EXAMPLES.map(async (name): Promise<[string, string]> => {
    const { stdout } = await promisify(execFile)(process.execPath, [`examples/${name}.mjs`]);
    return [name, stdout];
  });
  return new Map(await Promise.all(printed));
};
let running: ReturnType<typeof run> | undefined;

for (const name of EXAMPLES) {
  test(`${name} prints what its last lines say`, async () => {
    const printed = await (running ??= run());
    const [, comment] = (await read(`examples/${name}.mjs`)).split("\n// Prints:\n");
    assert.is(printed.get(name), comment.replace(/^\/\/ /gm, ""));
  });
}

test("beam_tree draws the picture of the README", async () => {
  await (running ??= run());
  assert.is(await read("build/beams.svg"), await read("docs/beams.svg"));
});

const page = suite("examples in a page", { node: "a page runs in a browser", deno: "a page runs in a browser" });

page("page.html shows the pronunciations of its word", async () => {
  const frame = document.createElement("iframe");
  frame.src = "/examples/page.html";
  document.body.append(frame);
  const shown = (): string => frame.contentDocument?.querySelector("pre")?.textContent ?? "";
  for (let tenths = 0; !shown().startsWith("-0.08 T R AE0 N S F AO1 R M ER0\n"); tenths++) {
    assert.ok(tenths < 600, `within a minute, got ${shown()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.is(shown().split("\n").length, 4);
  frame.remove();
});
