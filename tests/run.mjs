// Bundles the tests once and runs the bundle in each runtime: node, deno, chrome (all when none is named). Another word
// selects test files. The last line adds the counts up.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { common, wgslLoader } from "../build.mjs";
import { ensureBrowser } from "../setup.mjs";
import { runInChrome } from "./support/chrome.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bundle = `build/tests.${process.pid}.mjs`; // runs side by side must not share it
process.on("exit", () => [bundle, `${bundle}.entry.ts`].forEach((path) => rmSync(root + path, { force: true })));
const SILENCE = 5; // minutes without output after which a page counts as hung
const runtimes = {
  node: () => runCommand(process.execPath, [bundle]),
  deno: () => runCommand(`${root}node_modules/.bin/deno`, ["run", "--allow-all", "--unstable-webgpu", bundle]),
  chrome: runPage,
};

async function bundleTests(only) {
  const files = readdirSync(`${root}tests`).filter(
    (name) => name.endsWith(".test.ts") && (!only || name.includes(only)),
  );
  if (!files.length) throw new Error(`no test file matches ${only}`);
  await mkdir(`${root}build`, { recursive: true });
  const imports = files.sort().map((name) => `import "../tests/${name}";`);
  const entry = `${root}${bundle}.entry.ts`;
  writeFileSync(
    entry,
    `${imports.join("\n")}
import { runAll } from "../tests/support/harness.js";
export const result = await runAll();
(globalThis as { process?: { exit(code: number): void } }).process?.exit(result ? 0 : 1);
`,
  );
  await build({
    ...common,
    entryPoints: [entry],
    outfile: root + bundle,
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    ignoreAnnotations: true,
    plugins: [wgslLoader({ release: false })],
    banner: { js: "globalThis.UVU_DEFER = 1; globalThis.UVU_QUEUE = [[null]];" },
  });
}

/** Shows what a runtime prints; its end tells [passed, failed]. */
function output() {
  let tail = "";
  return {
    write(chunk) {
      process.stdout.write(chunk);
      tail = (tail + chunk).slice(-4000);
    },
    counts(end) {
      const [, passed, failed] = tail.match(/(\d+) passed, (\d+) failed\s*$/) ?? [];
      if (passed === undefined) throw new Error(`without its last line, ${end}`);
      return [Number(passed), Number(failed)];
    },
  };
}

async function runCommand(command, args) {
  const env = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(), NO_COLOR: "1" };
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  const { write, counts } = output();
  child.stdout.on("data", write);
  const [code] = await once(child, "close");
  return counts(`exit code ${code}`);
}

async function runPage() {
  const { write, counts } = output();
  // The tests write parts of lines, which have white space at one end; a page's console knows lines only.
  const print = (text) => write(/^\s|\s$/.test(text) ? text : `${text}\n`);
  await runInChrome(browser, bundle, print, SILENCE);
  process.stdout.write("\n");
  return counts("though the page came to its end");
}

const words = process.argv.slice(2);
const named = words.filter((word) => word in runtimes);
const names = named.length ? named : Object.keys(runtimes);
const only = words.find((word) => !(word in runtimes));
const browser = names.includes("chrome") ? ensureBrowser() : undefined;
await bundleTests(only);
const total = [0, 0];
for (const name of names) {
  const [passed, failed] = await runtimes[name]().catch(({ message }) => {
    console.log(`\n${name}: stopped: ${message}`);
    return [0, 1];
  });
  total[0] += passed;
  total[1] += failed;
}
console.log(`\n${total[0]} passed, ${total[1]} failed`);
process.exit(total[1] === 0 && total[0] > 0 ? 0 : 1);
