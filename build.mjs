// Compiles TypeScript and WGSL into dist/: the library, the command line and the type declarations.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));

/** Shaders as text. For release without comments and indentation: a reader of the source has the files. */
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

/** The command line imports the library that lies beside it in dist/. */
const beside = {
  name: "beside",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: "./index.js", external: true }));
  },
};

/** What every bundle of this project shares. */
export const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  external: ["webgpu", "node:*"],
};

/** The package: the library and its kernels with their common code in one file, a single file for pages, the command line. */
async function bundle() {
  const library = {
    ...common,
    plugins: [wgslLoader({ release: true })],
    external: [...common.external, "@huggingface/tokenizers"],
  };
  await build({
    ...library,
    entryPoints: { index: "src/index.ts", kernels: "src/kernels/index.ts" },
    splitting: true,
    chunkNames: "shared-[hash]",
    outdir: "dist",
    platform: "neutral",
  });
  await build({
    ...library,
    entryPoints: ["src/index.ts"],
    outfile: "dist/wgformer.min.js",
    platform: "browser",
    minify: true,
    external: common.external,
  });
  await build({
    ...library,
    entryPoints: ["src/cli/index.ts"],
    outfile: "dist/cli.js",
    platform: "node",
    banner: { js: "#!/usr/bin/env node" },
    plugins: [...library.plugins, beside],
  });
}

function declareTypes() {
  const compiler = "node_modules/typescript/bin/tsc";
  execFileSync(process.execPath, [compiler, "--project", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(`${root}dist`, { recursive: true, force: true });
  await bundle();
  declareTypes();
}
