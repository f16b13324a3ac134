// Bundles the benches once and runs them on one device: in Deno, or with --node in Node. Words select benches by name.
// Prints a table and writes bench/results/<runtime>-<adapter>.json, the words last in its name when some were given.
// --compare FILE adds the change against an earlier such file; --form direct|shared forces a kernel form.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { common, wgslLoader } from "../build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [bundle, output] = [`${root}build/bench.mjs`, `${root}build/bench.json`];
const commands = {
  deno: [`${root}node_modules/.bin/deno`, ["run", "--allow-all", "--unstable-webgpu", bundle]],
  node: [process.execPath, [bundle]],
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: "boolean" }, chrome: { type: "boolean" }, compare: { type: "string" }, form: { type: "string" },
  },
});

function fail(text) {
  console.error(`bench: ${text}`);
  process.exit(1);
}

async function bundleBenches(words, options) {
  const stems = readdirSync(`${root}bench`).flatMap((name) => name.match(/^(.*)\.bench\.ts$/)?.[1] ?? [])
    .filter((stem) => !words.length || words.some((word) => stem.includes(word)))
    .sort((a, b) => (a === "decode") - (b === "decode") || a.localeCompare(b)); // the whole loop comes last
  if (!stems.length) fail(`no bench is named ${words.join(" or ")}`);
  mkdirSync(`${root}build`, { recursive: true });
  const entry = `${root}build/bench.entry.ts`;
  const imports = stems.map((stem) => `import { bench as ${stem} } from "../bench/${stem}.bench.js";`);
  writeFileSync(entry, `${imports.join("\n")}
import { writeFile } from "node:fs/promises";
import { runBenches } from "../bench/harness.js";
const results = await runBenches([${stems.join(", ")}], ${JSON.stringify(options)});
await writeFile(${JSON.stringify(output)}, JSON.stringify(results));
(globalThis as unknown as { process: { exit(code: number): void } }).process.exit(0);
`);
  await build({
    ...common, entryPoints: [entry], outfile: bundle, platform: "neutral", mainFields: ["module", "main"],
    conditions: ["import"], plugins: [wgslLoader({ release: false })],
    // tests/harness.ts brings uvu, which must not run
    banner: { js: "globalThis.UVU_DEFER = 1; globalThis.UVU_QUEUE = [[null]];" },
  });
}

function compare(now, file) {
  const before = JSON.parse(readFileSync(file, "utf8"));
  const key = ({ bench, shape }) => `${bench.padEnd(20)}${shape.padEnd(34)}`;
  const known = new Map(before.rows.map((row) => [key(row), row.us.median]));
  console.log(`\nagainst ${file} (${before.runtime} on ${before.adapter})`);
  for (const row of now.rows.filter((candidate) => known.has(key(candidate)))) {
    const [then, us] = [known.get(key(row)), row.us.median];
    const change = 100 * (us / then - 1);
    const sign = change > 0 ? "+" : "";
    const times = `${then.toFixed(1).padStart(12)} -> ${us.toFixed(1).padStart(10)} us`;
    console.log(`${key(row)}${times}  ${sign}${change.toFixed(0)} %`);
  }
}

const name = values.node ? "node" : "deno";
if (values.chrome) fail("--chrome is not there yet");
if (![undefined, "direct", "shared"].includes(values.form)) fail(`--form must be direct or shared, got ${values.form}`);
await bundleBenches(positionals, { form: values.form });
const [command, args] = commands[name];
const env = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(), NO_COLOR: "1" };
const { status } = spawnSync(command, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
if (status !== 0) fail(`${name} stopped with exit code ${status}`);

const results = { date: new Date().toISOString(), ...JSON.parse(readFileSync(output, "utf8")) };
if (values.compare) compare(results, values.compare);
const slug = results.adapter.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 32).replace(/^-|-$/g, "");
const file = `bench/results/${[name, slug, ...positionals].join("-")}.json`;
mkdirSync(`${root}bench/results`, { recursive: true });
writeFileSync(root + file, `${JSON.stringify(results, null, 1)}\n`);
console.log(`\nwritten to ${file}`);
