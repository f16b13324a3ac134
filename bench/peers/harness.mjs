// What both measurements share: the bundle of wgformer, the reference cases of its models, and medians.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { common, wgslLoader } from "../../build.mjs";

export const here = fileURLToPath(new URL(".", import.meta.url));
export const models = fileURLToPath(new URL("../../models/", import.meta.url));

/** Bundles wgformer from its sources; one bundle serves Node and Chrome. */
export async function bundle() {
  const outfile = `${here}build/wgformer.mjs`;
  await build({
    ...common,
    entryPoints: ["src/index.ts"],
    outfile,
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    plugins: [wgslLoader({ release: true })],
  });
  return outfile;
}

export const readCases = (model) => JSON.parse(readFileSync(`${models}${model}/golden.json`, "utf8")).cases;

export function quartiles(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return { p25: at(0.25), median: at(0.5), p75: at(0.75) };
}
