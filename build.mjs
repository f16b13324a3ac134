// Compiles TypeScript and WGSL into dist/: the library, its kernels, the command line and the type declarations.
// --watch keeps the bundles up to date (without declarations) until the process is ended.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { rolldown } from "rolldown";
import { minifyShader, shortNames } from "./wgsl.mjs";

/** @import { BuildOptions, Plugin } from "esbuild" */
/** @import { ChunkingContext } from "rolldown" */

const root = fileURLToPath(new URL(".", import.meta.url));

const SHADERS = readdirSync(`${root}shaders`, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".wgsl"),
);

/**
 * Shaders as text; for release made small, because a reader of the source has the files.
 * @param {{ release: boolean }} options
 * @returns {Plugin}
 */
export function wgslLoader({ release }) {
  return {
    name: "wgsl",
    setup({ onStart, onLoad }) {
      /** @type {ReadonlyMap<string, string>} */
      let names = new Map();
      onStart(() => {
        names = shortNames(SHADERS.map((name) => readFileSync(`${root}shaders/${name}`, "utf8")));
      });
      onLoad({ filter: /\.wgsl$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        return { contents: release ? minifyShader(text, names) : text, loader: "text" };
      });
    },
  };
}

/**
 * What options do: each is documented once, by the comment above it. By the interface that has the option; those of
 * `generate()`, which stand in a table, by `GenerateOptions`.
 * @returns {Record<string, Record<string, string>>}
 */
function readOptionDocs() {
  const files = ["src/model", "src/server"].flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${root}${folder}/${name}`),
  );
  /** @type {Record<string, Record<string, string>>} */
  const docs = {};
  for (const text of files.map((path) => readFileSync(path, "utf8"))) {
    const table = /^export const OPTIONS = \{\n([^]*?)^\}/m.exec(text);
    if (table) docs.GenerateOptions = commentsOf(table[1], /(\w+): option\(/);
    for (const [, name, body] of text.matchAll(/^export interface (\w+(?:Options|Hooks))\b[^]*? \{\n([^]*?)^\}/gm))
      docs[name] = commentsOf(body, /readonly (\w+)\?:/);
  }
  return docs;
}

/**
 * The comments above what `declaration` finds, by its name.
 * @param {string} text
 * @param {RegExp} declaration
 */
function commentsOf(text, declaration) {
  const found = text.matchAll(new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s*${declaration.source}`, "g"));
  return Object.fromEntries(
    Array.from(found, ([, comment, name]) => [name, comment.replace(/\s*\n\s*\*\s?/g, " ").trim()]),
  );
}

/** @type {Plugin} */
const optionDocs = {
  name: "option docs",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^option-docs$/ }, ({ path }) => ({ path, namespace: "option-docs" }));
    onLoad({ filter: /.*/, namespace: "option-docs" }, () => ({
      contents: JSON.stringify(readOptionDocs()),
      loader: "json",
    }));
  },
};

/**
 * What every bundle of this project shares.
 * @satisfies {BuildOptions}
 */
export const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  external: ["webgpu", "node:*"],
};

/**
 * Modules stay modules: what one imports is left as it is, and a shader is a module in dist/shaders.
 * @type {Plugin}
 */
const kept = {
  name: "kept",
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path, kind }) => {
      if (kind === "entry-point") return undefined;
      return { path: path.replace(/^\.\.\/(.*)\.wgsl$/, "$1.js"), external: true };
    });
  },
};

/**
 * The command line, in dist/cli/, imports modules of the library from above it.
 * @type {Plugin}
 */
const above = {
  name: "above",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/[^.]/ }, ({ path }) => ({ path, external: true }));
  },
};

/**
 * What is compiled into `outdir`: the modules, the shaders, the command line.
 * @param {string} outdir
 * @returns {BuildOptions[]}
 */
const outputs = (outdir) => [
  {
    ...common,
    entryPoints: ["src/index.ts", "src/runtime/*.ts", "src/kernels/*.ts", "src/model/**/*.ts", "src/server/*.ts"],
    outbase: "src",
    outdir,
    plugins: [kept],
  },
  {
    ...common,
    entryPoints: ["shaders/**/*.wgsl"],
    outdir: `${outdir}/shaders`,
    plugins: [wgslLoader({ release: true })],
  },
  {
    ...common,
    entryPoints: { cli: "src/cli/index.ts", "cli/main": "src/cli/main.ts" }, // the program, and what tests call
    splitting: true,
    chunkNames: "cli/[name]-[hash]",
    outdir,
    platform: "node",
    plugins: [above, optionDocs],
  },
];

/**
 * Rooms of the minified library: modules that one of these reaches, and none before it, are one file. Others are as the
 * bundler splits them.
 */
const ROOMS = {
  index: ["index"],
  model: ["model/load", "model/families/family", "model/families/heads", "model/checkpoint/config"],
  text: ["model/text/tokenizer"],
  decode: ["model/decode/calls"],
  tasks: ["model/tasks/encoder_task"],
};

/**
 * The modules that are loaded with another one, by id.
 * @param {string} id
 * @param {ChunkingContext} context
 * @returns {Set<string>}
 */
function reachable(id, context, found = new Set()) {
  if (!found.has(id))
    for (const next of context.getModuleInfo(id)?.importedIds ?? []) reachable(next, context, found.add(id));
  return found.add(id);
}

/**
 * The library for pages without a bundler: `outdir`/min/index.js, and the rooms that it loads when they are entered.
 * @param {string} outdir
 */
async function minify(outdir) {
  const groups = Object.entries(ROOMS).map(([room, modules], index) => {
    /** @type {Set<string>} */
    let inside;
    return {
      debugName: room,
      priority: 9 - index, // of groups without one it is 0
      name(/** @type {string} */ id, /** @type {ChunkingContext} */ context) {
        inside ??= new Set(modules.flatMap((name) => [...reachable(`${root}${outdir}/${name}.js`, context)]));
        return inside.has(id) ? room : null;
      },
    };
  });
  const bundle = await rolldown({
    input: `${root}${outdir}/index.js`,
    platform: "browser",
    external: common.external.map((name) => new RegExp(`^${name.replace("*", "")}`)),
  });
  await bundle.write({
    dir: `${root}${outdir}/min`,
    format: "esm",
    minify: true,
    comments: false,
    entryFileNames: "index.js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: { groups },
  });
  await bundle.close();
}

/** @param {string} outdir */
function declareTypes(outdir) {
  const compiler = "node_modules/typescript/bin/tsc";
  const words = ["--project", "tsconfig.build.json", "--outDir", outdir];
  execFileSync(process.execPath, [compiler, ...words], { cwd: root, stdio: "inherit" });
}

async function watch() {
  for (const options of outputs("dist")) await (await context({ ...options, logLevel: "info" })).watch();
}

/** Builds beside dist/ and then takes its place, so that there is a whole one at any time. */
async function buildAll() {
  const fresh = "build/dist";
  rmSync(root + fresh, { recursive: true, force: true });
  await Promise.all(outputs(fresh).map((options) => build(options)));
  declareTypes(fresh);
  await minify(fresh);
  rmSync(`${root}dist`, { recursive: true, force: true });
  renameSync(root + fresh, `${root}dist`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--watch")) await watch();
  else await buildAll();
}
