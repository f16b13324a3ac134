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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(`${root}dist`, { recursive: true, force: true });
  const library = {
    ...common,
    plugins: [wgslLoader({ release: true })],
    external: [...common.external, "@huggingface/tokenizers"],
  };
  await build({ ...library, entryPoints: ["src/index.ts"], outfile: "dist/index.js", platform: "neutral" });
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
  execFileSync(
    process.execPath,
    [
      "node_modules/typescript/bin/tsc",
      "--noEmit",
      "false",
      "--emitDeclarationOnly",
      "--declaration",
      "--rootDir",
      "src",
      "--outDir",
      "dist/types",
      "--project",
      "tsconfig.build.json",
    ],
    { cwd: root, stdio: "inherit" },
  );
}
