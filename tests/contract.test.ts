import * as kernels from "../src/kernels/index.js";
import { type Form, type Kernel, parsePattern } from "../src/runtime/kernel.js";
import { shaderOf } from "../src/runtime/pipelines.js";
import { assert, readFile, suite } from "./support/harness.js";

const test = suite("contract");
const all = Object.values(kernels) as unknown as readonly Kernel[];
const formsOf = ({ forms }: Kernel): Form[] => Object.values(forms);
const read = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path));
const same = (got: Iterable<string>, want: Iterable<string>, what: string): void =>
  assert.equal([...new Set(got)].sort(), [...new Set(want)].sort(), what);

for (const kernel of all) {
  const patterns = { ...kernel.reads, ...kernel.writes };

  test(`${kernel.name}: bindings, parameters and constants are those of the object`, () => {
    const letters = new Set(Object.values(patterns).flatMap((text) => text.match(/\b[A-Z]\b/g) ?? []));
    for (const form of formsOf(kernel)) {
      const { params, bindings, constants } = shaderOf(kernel, form); // throws unless the bindings agree
      assert.ok(bindings.length <= 8, `at most 8 storage buffers, got ${bindings.length}`);
      const fields = params.map(({ name }) => name);
      const stray = fields.filter((name) => !letters.has(name) && !kernel.params.includes(name));
      assert.equal(stray, [], "every field of Params is a letter of the patterns or in params");
      const absent = kernel.params.filter((name) => !fields.includes(name) && !letters.has(name));
      assert.equal(absent, [], "every one of params is a field of Params, or a letter");
      const implied = Object.entries(patterns).flatMap(([name, text]) => {
        const { dtypes, optional } = parsePattern(text);
        const upper = name.toUpperCase();
        return [...(optional ? [`HAS_${upper}`] : []), ...(dtypes.length > 1 ? [`${upper}_FORMAT`] : [])];
      });
      const given = Object.keys(form.constants?.(new Proxy({}, { get: () => 1 })) ?? {});
      same(Object.keys(constants), [...implied, ...kernel.constants, ...given], "constants");
    }
  });

  test(`${kernel.name}: reads come before writes`, () => {
    for (const form of formsOf(kernel)) {
      const order = shaderOf(kernel, form).bindings.map(({ access }) => access);
      assert.ok(order.lastIndexOf("read") < order.indexOf("write"), order.join());
    }
  });

  test(`${kernel.name}: the header tells name, shapes, launch, numerics and source; no line is too long`, () => {
    for (const { wgsl } of formsOf(kernel)) {
      const [header] = wgsl.split("struct Params");
      assert.ok(header.startsWith(`// ${kernel.name}: `), "the first line names the kernel");
      for (const field of ["Shapes", "Launch", "Numerics", "Source"]) {
        assert.match(header, new RegExp(`^// ${field.padEnd(8)} `, "m"), `the header must tell ${field}`);
      }
      assert.equal(
        wgsl.split("\n").filter((line) => line.length > 120),
        [],
        "lines of at most 120 columns",
      );
    }
  });
}

/** Files of a folder and its folders, relative to it. */
async function list(folder: string): Promise<string[]> {
  const { readdir } = await import("node:fs/promises");
  return (await readdir(folder, { recursive: true })).map((name) => name.replaceAll("\\", "/"));
}

const files = suite("contract of the files", { chrome: "a page cannot list the files of a folder" });

files("every shader has its four files", async () => {
  const shaders = all.flatMap(({ name, forms }) =>
    Object.keys(forms).map((form) => (form === "direct" ? name : `${name}.${form}`)),
  );
  same(
    (await list("shaders")).map((name) => name.replace(/\.wgsl$/, "")),
    shaders,
    "shaders and the kernels that src/kernels/index.ts exports",
  );
  for (const stem of all.map(({ name }) => name)) {
    await readFile(`src/kernels/${stem}.ts`);
    await readFile(`tests/${stem}.test.ts`);
    await readFile(`bench/${stem}.bench.ts`);
  }
});

files("imports point one way: model -> kernels -> runtime", async () => {
  const layers = ["runtime", "kernels", "model"]; // what lies beside these folders may import them all
  const wrong: string[] = [];
  let seen = 0;
  for (const path of (await list("src")).filter((name) => name.endsWith(".ts"))) {
    const level = layers.indexOf(path.split("/")[0]);
    for (const [, target] of (await read(`src/${path}`)).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]*)"/g)) {
      const { pathname } = new URL(target, `file:///src/${path}`);
      const [, top, folder] = pathname.split("/");
      seen++;
      const to = layers.indexOf(folder);
      const allowed = top === "shaders" ? layers[level] === "kernels" : level < 0 || (to >= 0 && to <= level);
      if (!allowed) wrong.push(`${path} imports ${target}`);
    }
  }
  assert.ok(seen > 50, `must find the imports, found ${seen}`);
  assert.equal(wrong, []);
});
