// Bundles the tests and runs them in each runtime: node, deno, chrome (all, side by side, when none is named). In Node
// shaders are as they are written, which mutants change; elsewhere as they are published. `subgroups` is Node again, on
// lavapipe with subgroups of 4 and of 16, for the cases of the variants that use subgroups; it has 8 by itself.
// Other words select test files. Failures stand in full after the last suite; the last line adds the counts up.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { SourceMap } from "node:module";
import { setPriority, tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { ensureBrowser, ensureQueueServer, ensureShim } from "../setup.mjs";
import { bundleText, entryOf } from "./support/bundle.mjs";
import { runInChrome } from "./support/chrome.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bundles = { node: `build/tests.${process.pid}.mjs`, others: `build/tests.${process.pid}.release.mjs` }; // not shared by runs
/** @type {(name: string) => string} */
const bundleOf = (name) => (name === "node" || name === "subgroups" ? bundles.node : bundles.others);
const made = Object.values(bundles).flatMap((bundle) => [bundle, `${bundle}.map`, entryOf(bundle)]);
process.on("exit", () => made.forEach((path) => rmSync(root + path, { force: true })));
const SILENCE = 10; // minutes without output after which a page counts as hung; a suite prints its line at its end
const NICENESS = { node: 0, deno: 8, subgroups: 8 }; // these have least to do, and all end at about the same time
const SLOWEST = 10; // suites that the report names
const SUBGROUPS = { 4: "128", 16: "512" }; // bits of lavapipe's vectors by the invocations of its subgroups
const OF_SUBGROUPS = "^\\S*(subgroup|cpu)\\S*: (?!catches)"; // titles of their cases; mutants judge these once
const runtimes = {
  node: () => runCommand("node", process.execPath, []),
  async subgroups() {
    const reports = [];
    const sizes = Object.entries(SUBGROUPS);
    for (const [i, [size, bits]] of sizes.entries()) {
      const WGFORMER_PART = `${i}/${2 * sizes.length}`; // a quarter of the cases each; with subgroups of 8 all of them run
      const env = { LP_NATIVE_VECTOR_WIDTH: bits, WGFORMER_TITLES: OF_SUBGROUPS, WGFORMER_PART };
      reports.push(await runCommand(`subgroups of ${size}`, process.execPath, [], env));
    }
    return addUp(reports);
  },
  deno: () => runCommand("deno", `${root}node_modules/.bin/deno`, ["run", "--allow-all", "--unstable-webgpu"]),
  chrome: () => runInChrome(ensureBrowser(), bundles.others, show("chrome"), SILENCE),
};

/** The test files whose names contain one of some words; all where there is no word. */
function testFiles(only) {
  const files = readdirSync(`${root}tests`).filter(
    (name) => name.endsWith(".test.ts") && (!only.length || only.some((word) => name.includes(word))),
  );
  if (!files.length) throw new Error(`no test file matches ${only.join(" or ")}`);
  return files.sort();
}

/** Bundles tests for the runtimes, and returns where the lines of each bundle come from. */
async function bundleTests(names, files) {
  const imports = files.map((name) => `import "../tests/${name}";`);
  // A page hands its report over, a process leaves it in the file that it is told.
  const text = `${imports.join("\n")}
import { runAll } from "../tests/support/harness.js";
export const result = await runAll();
const { document, process } = globalThis as { document?: unknown; process?: { argv: string[]; exit(): void } };
if (!document && process) {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(process.argv[2], JSON.stringify(result));
  process.exit();
}
`;
  /** @type {Record<string, SourceMap>} */
  const maps = {};
  for (const bundle of new Set(names.map(bundleOf))) {
    const release = bundle === bundles.others;
    await bundleText(text, bundle, { release, ignoreAnnotations: true, sourcemap: "external" });
    maps[release ? ".release" : ""] = new SourceMap(JSON.parse(readFileSync(`${root}${bundle}.map`, "utf8")));
  }
  return maps;
}

const PLACE = /\S*\/tests\.\d+(\.release)?\.mjs:(\d+):(\d+)/;

/** A line in which a place in the bundle has become one in the sources; what it was to any runtime. */
const atSource = (text) =>
  text.replace(PLACE, (place, release = "", line, column) => {
    const entry = maps[release].findEntry(line - 1, column - 1);
    if (!("originalSource" in entry)) return place;
    const source = entry.originalSource.replace(/^(\.\.\/)+/, "");
    return `${place.startsWith("(") ? "(" : ""}${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });

/** Prints a line of a runtime's, under its name. */
const show = (name) => (text) => console.log(atSource(`${name}  ${text.replace(/^(node|deno|chrome) {2}/, "")}`));

async function runCommand(name, command, args, more = {}) {
  const bundle = bundleOf(name.split(" ")[0]);
  const report = `${bundle}.${name.replaceAll(" ", "_")}.json`;
  made.push(report);
  const env = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(), NO_COLOR: "1", ...more };
  const child = spawn(command, [...args, bundle, report], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  if (child.pid) setPriority(child.pid, NICENESS[name.split(" ")[0]]);
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", show(name));
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(signal ?? `exit code ${code}`);
  return JSON.parse(readFileSync(root + report, "utf8"));
}

/** Several reports as one. */
function addUp(reports) {
  const skipped = {};
  const seconds = {};
  for (const report of reports)
    for (const [into, from] of [
      [skipped, report.skipped],
      [seconds, report.seconds],
    ])
      for (const [key, value] of Object.entries(from)) into[key] = (into[key] ?? 0) + value;
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  return { passed, failures: reports.flatMap(({ failures }) => failures), skipped, seconds };
}

const SILENT = /node_modules|node:|support\/harness\.ts|entry\.ts/; // frames that say nothing here

/** Lines of an error in which places of the bundle have become places of the sources. */
const readable = (error) =>
  stripVTControlCharacters(error)
    .split("\n")
    .map(atSource)
    .filter((line) => line.trim() && !(/^\s+at /.test(line) && SILENT.test(line)));

function tellFailures(name, { failures }) {
  for (const { suite, title, error, declared } of failures) {
    const place =
      declared
        .split("\n")
        .map(atSource)
        .join(" ")
        .match(/tests\/\w+\.test\.ts:\d+/) ?? "";
    console.log(`\n${name}  ${suite}: ${title}  ${place}\n  ${readable(error).join("\n  ")}`);
  }
}

function tellRest(name, { skipped, seconds }) {
  for (const [reason, count] of Object.entries(skipped)) console.log(`${name}  skipped ${count}: ${reason}`);
  const slow = Object.entries(seconds).sort(([, a], [, b]) => b - a);
  const total = slow.reduce((sum, [, time]) => sum + time, 0);
  const named = slow.slice(0, SLOWEST).map(([suite, time]) => `${suite} ${time.toFixed(1)}`);
  if (named.length) console.log(`${name}  ${total.toFixed(0)} s, most of them in ${named.join(", ")}`);
}

const words = process.argv.slice(2);
const named = words.filter((word) => word in runtimes);
const names = named.length ? named : Object.keys(runtimes);
const only = words.filter((word) => !(word in runtimes));
if (names.includes("chrome")) ensureBrowser(); // may install it, before anything runs
const files = testFiles(only);
if (names.includes("node") && files.includes("gpu_code.test.ts")) ensureShim();
if (names.includes("node") && files.includes("bulk.test.ts")) ensureQueueServer();
const maps = await bundleTests(names, files);
const stopped = ({ message }) => ({
  passed: 0,
  failures: [{ suite: "all", title: "the run stopped", error: message, declared: "" }],
  skipped: {},
  seconds: {},
});
const reports = await Promise.all(names.map(async (name) => [name, await runtimes[name]().catch(stopped)]));
for (const report of reports) tellFailures(...report);
console.log("");
for (const report of reports) tellRest(...report);
const passed = reports.reduce((sum, [, report]) => sum + report.passed, 0);
const failed = reports.reduce((sum, [, { failures }]) => sum + failures.length, 0);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
