// Bundles sources of this repository, with its shaders as text, into one module for any runtime.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { common, wgslLoader } from "../../build.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the text of a bundle is while it is made; its imports are relative to build/. */
export const entryOf = (outfile) => `${outfile}.entry.ts`;

/**
 * Bundles a module, given as text, to `outfile`, a path in the repository. `more` are options of esbuild; with `release`
 * shaders are as they are published.
 * @param {string} text
 * @param {string} outfile
 * @param {import("esbuild").BuildOptions & { release?: boolean }} [more]
 */
export async function bundleText(text, outfile, { release = false, ...more } = {}) {
  const entry = root + entryOf(outfile);
  mkdirSync(dirname(entry), { recursive: true });
  writeFileSync(entry, text);
  await build({
    ...common,
    entryPoints: [entry],
    outfile: root + outfile,
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    plugins: [wgslLoader({ release })],
    ...more,
  });
}
