import * as constants from "../src/kernels/constants.js";
import { ACTIVATIONS } from "../src/kernels/activation.js";
import { FORMATS } from "../src/kernels/formats.js";
import * as kernels from "../src/kernels/index.js";
import * as searchState from "../src/kernels/search_state.js";
import { type Dims, type Kernel, parsePattern, type Variant } from "../src/runtime/kernel.js";
import { shaderOf, textOf } from "../src/runtime/pipelines.js";
import { joinShader, readShader } from "../src/runtime/wgsl.js";
import { minifyShader, shortNames } from "../wgsl.mjs";
import { classOf } from "./support/device_class.js";
import { assert, readFile, suite } from "./support/harness.js";

const published = "shaders are there as they are published, without headers";
const test = suite("contract", { deno: published, chrome: published });
const all = Object.values(kernels).filter((one) => "reference" in one) as unknown as readonly Kernel[];
const read = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path));
const same = (got: Iterable<string>, want: Iterable<string>, what: string): void =>
  assert.equal([...new Set(got)].sort(), [...new Set(want)].sort(), what);

/** The shader of a variant: `kernel.variant.wgsl`, without a suffix for the direct one. */
const shaderName = ({ name }: Kernel, variant: Variant): string =>
  [name, variant.name.replace(/\.?direct$/, "")].filter(Boolean).join(".");

/**
 * Names of the parts that a shader's header lists, all or one of those that depend on widths (`x4|x1`), on a format
 * (`x_f32|x_f16`) or on both (`x16|x4|x1`).
 */
const partsOf = (wgsl: string, one?: { readonly width: number; readonly format: number }): string[] =>
  (wgsl.match(/^\/\/ Parts {4}(.*)$/m)?.[1].split(", ") ?? []).flatMap((name) => {
    const names = name.split("|");
    if (!one || names.length === 1) return names;
    if (names.length === 3) return names[one.width === 1 ? 2 : one.format];
    return names[Number(names[0].endsWith("_f32") ? one.format === 1 : one.width === 1)];
  });

/** A device with units for matrices of every kind of number. */
const ANY_MATRIX = classOf("gpu", 8, {
  matrices: (["f16", "f32"] as const).map((element) => ({ element, rows: 8, outputs: 8, inputs: 8 })),
});

/** Sizes that are all the same, and formats. */
const sizes = (value: number, format = 0): Dims =>
  new Proxy({}, { get: (_, name) => (String(name).endsWith("_FORMAT") ? format : value) });

/** Where widths are whole fours, where they are not, and in the second format. */
const KINDS = [
  { width: 32, format: 0 },
  { width: 1, format: 0 },
  { width: 32, format: 1 },
];

/** The texts of a variant, of each of these kinds. */
const textsOf = (variant: Variant): string[] => KINDS.map(({ width, format }) => textOf(variant, sizes(width, format)));

for (const kernel of all) {
  const patterns = { ...kernel.reads, ...kernel.writes };

  test(`${kernel.name}: bindings, parameters and constants are those of the object`, () => {
    const letters = new Set(Object.values(patterns).flatMap((text) => text.match(/\b[A-Z]\b/g) ?? []));
    const implied = Object.entries(patterns).flatMap(([name, text]) => {
      const { dtypes, optional } = parsePattern(text);
      const upper = name.toUpperCase();
      return [...(optional ? [`HAS_${upper}`] : []), ...(dtypes.length > 1 ? [`${upper}_FORMAT`] : [])];
    });
    for (const [variant, text] of kernel.variants.flatMap((one) => textsOf(one).map((text) => [one, text] as const))) {
      const { params, bindings, constants: found } = shaderOf(kernel, text); // throws unless the bindings agree
      assert.ok(bindings.length <= 8, `at most 8 storage buffers, got ${bindings.length}`);
      const fields = params.map(({ name }) => name);
      const stray = fields.filter((name) => !letters.has(name) && !kernel.params.includes(name));
      assert.equal(stray, [], "every field of Params is a letter of the patterns or in params");
      const absent = kernel.params.filter((name) => !fields.includes(name) && !letters.has(name));
      assert.equal(absent, [], "every one of params is a field of Params, or a letter");
      const given = Object.keys(variant.constants?.(sizes(1), ANY_MATRIX) ?? {});
      same(
        Object.keys(found).filter((name) => name !== "UNROLL"),
        [...implied, ...kernel.constants, ...given],
        "constants",
      );
    }
  });

  test(`${kernel.name}: reads come before writes`, () => {
    for (const text of kernel.variants.flatMap(textsOf)) {
      const order = shaderOf(kernel, text).bindings.map(({ access }) => access);
      assert.ok(order.lastIndexOf("read") < order.indexOf("write"), order.join());
    }
  });

  test(`${kernel.name}: headers tell name, shapes, launch, numerics and source; no line is too long`, () => {
    for (const wgsl of kernel.variants.flatMap(textsOf)) {
      assert.ok(wgsl.startsWith(`// ${kernel.name}: `), "the first line names the kernel");
      for (const field of ["Shapes", "Launch", "Numerics", "Source"]) {
        assert.match(wgsl, new RegExp(`^// ${field.padEnd(8)} `, "m"), `the header must tell ${field}`);
      }
      assert.equal(
        wgsl.split("\n").filter((line) => line.length > 120),
        [],
        "lines of at most 120 columns",
      );
    }
  });

  test(`${kernel.name}: variants have names of their own; the last takes any sizes on any device`, () => {
    const names = kernel.variants.map(({ name }) => name);
    same(names, new Set(names), "names");
    assert.is(new Set(names).size, names.length);
    const { needs, fits, for: adapter } = kernel.variants[kernel.variants.length - 1];
    assert.equal([needs, fits, adapter], [undefined, undefined, undefined]);
  });
}

/** Files of a folder and its folders, relative to it. */
async function list(folder: string): Promise<string[]> {
  const { readdir } = await import("node:fs/promises");
  return (await readdir(folder, { recursive: true })).map((name) => name.replaceAll("\\", "/"));
}

const files = suite("contract of the files", { deno: published, chrome: "a page cannot list the files of a folder" });

files("every kernel has its files", async () => {
  const found = (await list("shaders")).filter((name) => name.endsWith(".wgsl")).map((name) => name.slice(0, -5));
  const shaders = all.flatMap((kernel) => kernel.variants.map((variant) => shaderName(kernel, variant)));
  const parts = all.flatMap(({ variants }) =>
    variants.flatMap(({ wgsl }) => partsOf(wgsl).map((name) => `parts/${name}`)),
  );
  same(found, [...shaders, ...parts], "shaders, their parts and the kernels that src/kernels/index.ts exports");
  for (const stem of all.map(({ name }) => name)) {
    await readFile(`src/kernels/${stem}.ts`);
    await readFile(`tests/${stem}.test.ts`);
    await readFile(`bench/${stem}.bench.ts`);
  }
});

files("a variant's text is its shader, then the parts that its header names", async () => {
  for (const kernel of all) {
    for (const variant of kernel.variants) {
      const own = await read(`shaders/${shaderName(kernel, variant)}.wgsl`);
      for (const [kind, text] of textsOf(variant).entries()) {
        const names = partsOf(own, KINDS[kind]);
        const parts = await Promise.all(names.map((name) => read(`shaders/parts/${name}.wgsl`)));
        assert.is(text, joinShader(own, ...parts), shaderName(kernel, variant));
      }
    }
  }
});

files(
  "shaders as they are published declare what they declare as they are written, and nothing is left of comments",
  async () => {
    const names = (await list("shaders")).filter((name) => name.endsWith(".wgsl"));
    const globals = shortNames(await Promise.all(names.map((name) => read(`shaders/${name}`))));
    assert.is(new Set(globals.values()).size, globals.size, "each name has a short one of its own");
    for (const kernel of all) {
      for (const text of kernel.variants.flatMap(textsOf)) {
        const small = minifyShader(text, globals);
        assert.equal(readShader(kernel.name, small), readShader(kernel.name, text));
        assert.not.match(small, /\/\/|  |^ /m);
      }
    }
  },
);

files("a function body stands in one file", async () => {
  const homes = new Map<string, string>();
  for (const path of (await list("shaders")).filter((name) => name.endsWith(".wgsl"))) {
    const text = (await read(`shaders/${path}`)).replace(/\/\/.*/g, "");
    for (const [, name, body] of text.matchAll(/^fn (\w+)[^{]*(\{(?:[^\n]*\}$|[^]*?^\}))/gm)) {
      const plain = body.replace(/\s+/g, " ");
      const home = homes.get(plain);
      assert.is(home, undefined, `the body of ${name} in ${path} stands in ${home} too: move it to shaders/parts`);
      homes.set(plain, path);
    }
  }
  assert.ok(homes.size > 60, `must find the functions, found ${homes.size}`);
});

const said = suite("constants on both sides");

/** Values of the constants of a part. */
async function constantsOf(part: string): Promise<Record<string, number>> {
  const text = await read(`shaders/parts/${part}.wgsl`);
  return Object.fromEntries(
    [...text.matchAll(/^const (\w+) = (-?[\w.+-]+);/gm)].map(([, name, value]) => [
      name,
      Number(value.replace(/u$/, "")),
    ]),
  );
}

said("numbers that kernels share", async () => {
  for (const [name, value] of Object.entries(await constantsOf("constants"))) {
    assert.is(value, constants[name as keyof typeof constants], name);
  }
});

said("codes of activations", async () => {
  const codes = Object.entries(ACTIVATIONS).filter(([, { code }]) => code > 0);
  assert.equal(
    await constantsOf("activation"),
    Object.fromEntries(codes.map(([name, { code }]) => [name.toUpperCase(), code])),
  );
  assert.equal(
    Object.values(ACTIVATIONS).map(({ code }) => code),
    Object.keys(ACTIVATIONS).map((_, index) => index),
  );
});

said("codes of formats", async () => {
  const codes = FORMATS.map((name, index) => [name.toUpperCase(), index] as const).slice(1);
  assert.equal(await constantsOf("formats"), Object.fromEntries(codes));
});

said("the layout of a search's state", async () => {
  const { SENTENCE, DONE, SETTING, FLAG, FINISHED, PLANE, STATUS } = searchState;
  const { SENTENCE_HEAD, FINISHED_FIELDS, TABLES, HOMES } = searchState;
  const fields = Object.entries({ SENTENCE, DONE, SETTING, FLAG, FINISHED, PLANE, STATUS }).flatMap(([group, places]) =>
    Object.entries(places).map(([name, place]) => [`${group}_${name.toUpperCase()}`, place]),
  );
  const sizes = { SENTENCE_HEAD, FINISHED_FIELDS, TABLES, HOMES };
  assert.equal(await constantsOf("search_state"), { ...Object.fromEntries(fields), ...sizes });
  assert.is(SENTENCE_HEAD, Math.max(...Object.values(SETTING)) + 1);
  assert.equal(
    Object.values({ ...SENTENCE, ...SETTING }),
    Array.from({ length: SENTENCE_HEAD }, (_, field) => field),
  );
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

/** Who may import the packages that no page and no plain use of the library needs, and where each is loaded. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  hono: ["server/app.ts"],
  "@hono/node-server": ["server/node.ts", "cli/serve.ts"],
};

files("the server is reached by the command line alone, and its packages by the server", async () => {
  const wrong: string[] = [];
  const found = new Set<string>();
  for (const path of (await list("src")).filter((name) => name.endsWith(".ts"))) {
    for (const [line, target] of (await read(`src/${path}`)).matchAll(/(?:from|import)\s*\(?\s*"([^"]*)"/g)) {
      const [room] = path.split("/");
      const [, folder] = new URL(target, `file:///${path}`).pathname.split("/");
      const isInside = target.startsWith(".") && folder === "server" && room !== "server";
      if (isInside && room !== "cli") wrong.push(`${path} imports ${target}`);
      if (target.startsWith(".") && folder === "cli" && room === "server") wrong.push(`${path} imports ${target}`);
      const name = /^(?:@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? "";
      if (!Object.hasOwn(OPTIONAL, name)) continue;
      found.add(name);
      const isLater = name === "hono" || line.startsWith("import("); // whoever serves elsewhere needs no listener
      if (!OPTIONAL[name].includes(path) || !isLater) wrong.push(`${path} imports ${target}`);
    }
  }
  assert.equal([...found].sort(), Object.keys(OPTIONAL).sort());
  assert.equal(wrong, []);
});
