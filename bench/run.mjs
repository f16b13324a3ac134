// Bundles the benches once and runs them on one device: in Deno, with --node in Node, with --chrome in headless Chrome.
// Words select benches by name. Prints a table and writes bench/results/<runtime>-<adapter>-<words>.json. --compare FILE
// shows the change against an earlier such file; --adapter cpu|gpu runs the kernel variants for that class, --no-subgroups
// those that need no subgroups. --kernels leaves the benches of whole models out: all kernels, one file for a device.
// `npm run web` has a page on which any browser runs the kernel benches.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureBrowser } from "../setup.mjs";
import { bundleText } from "../tests/support/bundle.mjs";
import { runInChrome } from "../tests/support/chrome.mjs";
import { resultsName } from "./support/results_name.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [bundle, output] = ["build/bench.mjs", "build/bench.json"];
const SILENCE = 30; // minutes; a case of the whole loop prints only at its end
const ADAPTERS = ["cpu", "gpu"];
const runtimes = {
  deno: () => runCommand(`${root}node_modules/.bin/deno`, ["run", "--allow-all", "--unstable-webgpu", bundle]),
  node: () => runCommand(process.execPath, [bundle]),
  chrome: () => runInChrome(ensureBrowser(), bundle, console.log, SILENCE).catch(({ message }) => fail(message)),
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: "boolean" },
    chrome: { type: "boolean" },
    compare: { type: "string" },
    adapter: { type: "string" },
    "no-subgroups": { type: "boolean" },
    kernels: { type: "boolean" },
  },
});

function fail(text) {
  console.error(`bench: ${text}`);
  process.exit(1);
}

/** @returns {string[]} the names of the benches */
function findBenches(words) {
  const stems = readdirSync(`${root}bench`)
    .flatMap((name) => name.match(/^(.*)\.bench\.ts$/)?.[1] ?? [])
    .filter((stem) => !words.length || words.some((word) => stem.includes(word)))
    .sort((a, b) => Number(a === "decode") - Number(b === "decode") || a.localeCompare(b)); // the whole loop is last
  if (!stems.length) fail(`no bench is named ${words.join(" or ")}`);
  return stems;
}

function runCommand(command, args) {
  const env = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(), NO_COLOR: "1" };
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) fail(`${command} stopped with exit code ${status}`);
  return JSON.parse(readFileSync(root + output, "utf8"));
}

/** The text that imports benches, and the list of them. */
function listOf(words) {
  if (values.kernels) return ['import { KERNEL_BENCHES } from "../bench/kernels.js";', "KERNEL_BENCHES"];
  const stems = findBenches(words);
  const imports = stems.map((stem) => `import { bench as ${stem} } from "../bench/${stem}.bench.js";`);
  return [imports.join("\n"), `[${stems.join(", ")}]`];
}

async function measure(name, words) {
  // A page returns its result, a process writes it to a file.
  const [imports, list] = listOf(words);
  await bundleText(
    `${imports}
import { runBenches } from "../bench/support/harness.js";
export const result = await runBenches(${list}, ${JSON.stringify(options)});
const { document, process } = globalThis as { document?: unknown; process?: { exit(code: number): void } };
if (!document) {
  const { writeFile } = await import("node:fs/promises");
  await writeFile("${output}", JSON.stringify(result));
  process?.exit(0);
}
`,
    bundle,
  );
  const results = { date: new Date().toISOString(), ...(await runtimes[name]()) };
  if (values.compare) compare(results, values.compare);
  const file = `bench/results/${resultsName(results, words)}.json`;
  mkdirSync(`${root}bench/results`, { recursive: true });
  writeFileSync(root + file, `${JSON.stringify(results, null, 1)}\n`);
  console.log(`\nwritten to ${file}`);
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

if (values.adapter && !ADAPTERS.includes(values.adapter))
  fail(`--adapter must be one of ${ADAPTERS.join(", ")}, got ${values.adapter}`);
const options = { adapter: values.adapter, features: values["no-subgroups"] ? ["timestamp-query"] : undefined };
if (values.kernels && positionals.length) fail(`--kernels measures all of them, got ${positionals.join(" ")} too`);
const words = values.kernels ? ["kernels"] : positionals;
await measure(Object.keys(runtimes).find((name) => values[name]) ?? "deno", words);
process.exit(0); // or a browser that does not close would keep this process
