// Compiles TypeScript and WGSL into dist/: the library, its kernels, the command line and the type declarations.
// --watch keeps the bundles up to date (without declarations) until the process is ended.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";

/** @import { BuildOptions, Plugin } from "esbuild" */

const root = fileURLToPath(new URL(".", import.meta.url));

/**
 * Shaders as text. For release without comments and indentation: a reader of the source has the files.
 * @param {{ release: boolean }} options
 * @returns {Plugin}
 */
export function wgslLoader({ release }) {
  return {
    name: "wgsl",
    setup({ onLoad }) {
      onLoad({ filter: /\.wgsl$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        const compact = text
          .replace(/\/\/.*/g, "")
          .replace(/^\s+/gm, "")
          .replace(/[ \t]+$/gm, "");
        return { contents: release ? compact : text, loader: "text" };
      });
    },
  };
}

/**
 * The command line imports the library that lies beside it in dist/.
 * @type {Plugin}
 */
const beside = {
  name: "beside",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: "./index.js", external: true }));
  },
};

/**
 * What the options of `generate()` do: each is documented once, by the comment above it.
 * @returns {Record<string, string>}
 */
export function readOptionDocs() {
  const table = readFileSync(`${root}src/model/decode/options.ts`, "utf8");
  const found = [...table.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(\w+): option\(/g)];
  return Object.fromEntries(found.map(([, text, name]) => [name, text.replace(/\s*\n\s*\*\s?/g, " ").trim()]));
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

const library = {
  ...common,
  plugins: [wgslLoader({ release: true })],
  external: [...common.external, "@huggingface/jinja", "@huggingface/tokenizers"],
};

/** @type {BuildOptions[]} */
const bundles = [
  {
    ...library,
    entryPoints: { index: "src/index.ts", kernels: "src/kernels/index.ts" },
    splitting: true, // both have one runtime, in a file of its own
    chunkNames: "shared-[hash]",
    outdir: "dist",
    platform: "neutral",
  },
  {
    ...library,
    entryPoints: ["src/index.ts"],
    outfile: "dist/wgformer.min.js",
    platform: "browser",
    minify: true,
    external: common.external,
  },
  {
    ...library,
    entryPoints: ["src/cli/index.ts"],
    outfile: "dist/cli.js",
    platform: "node",
    banner: { js: "#!/usr/bin/env node" },
    plugins: [...library.plugins, beside, optionDocs],
  },
];

function declareTypes() {
  const compiler = "node_modules/typescript/bin/tsc";
  execFileSync(process.execPath, [compiler, "--project", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
}

async function watch() {
  for (const options of bundles) await (await context({ ...options, logLevel: "info" })).watch();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(`${root}dist`, { recursive: true, force: true });
  if (process.argv.includes("--watch")) await watch();
  else {
    await Promise.all(bundles.map((options) => build(options)));
    declareTypes();
  }
}
