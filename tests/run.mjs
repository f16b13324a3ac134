// Bundles the tests once and runs the bundle in each runtime: node, deno (all when none is named). The last line adds them up.
import { spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { common, wgslLoader } from "../build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bundle = `${root}build/tests.mjs`;
const commands = {
  node: [process.execPath, [bundle]],
  deno: [`${root}node_modules/.bin/deno`, ["run", "--allow-all", "--unstable-webgpu", bundle]],
};

async function bundleTests(only) {
  const files = readdirSync(`${root}tests`).filter((name) => name.endsWith(".test.ts") && (!only || name.includes(only)));
  if (!files.length) throw new Error(`no test file matches ${only}`);
  await mkdir(`${root}build`, { recursive: true });
  const imports = files.sort().map((name) => `import "../tests/${name}";`);
  const entry = `${root}build/tests.entry.ts`;
  writeFileSync(entry, `${imports.join("\n")}
import { runAll } from "../tests/harness.js";
const passed = await runAll();
(globalThis as { process?: { exit(code: number): void } }).process?.exit(passed ? 0 : 1);
`);
  await build({
    ...common, entryPoints: [entry], outfile: bundle, platform: "neutral", mainFields: ["module", "main"], conditions: ["import"],
    ignoreAnnotations: true, plugins: [wgslLoader({ release: false })], banner: { js: "globalThis.UVU_DEFER = 1; globalThis.UVU_QUEUE = [[null]];" },
  });
}

/** Runs one runtime with its output shown; resolves with [passed, failed]. */
function runIn(name) {
  return new Promise((resolve) => {
    const [command, args] = commands[name];
    const env = { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(), NO_COLOR: "1" };
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
    let tail = "";
    child.stdout.on("data", (chunk) => {
      process.stdout.write(chunk);
      tail = (tail + chunk).slice(-4000);
    });
    child.on("close", (code) => {
      const [, passed, failed] = tail.match(/(\d+) passed, (\d+) failed\s*$/) ?? [];
      if (passed === undefined) console.log(`${name}: stopped before its end, exit code ${code}`);
      resolve(passed === undefined ? [0, 1] : [Number(passed), Number(failed)]);
    });
  });
}

const names = process.argv.slice(2).filter((word) => word in commands);
const [only] = process.argv.slice(2).filter((word) => !(word in commands));
await bundleTests(only);
const total = [0, 0];
for (const name of names.length ? names : Object.keys(commands)) {
  const [passed, failed] = await runIn(name);
  total[0] += passed;
  total[1] += failed;
}
console.log(`\n${total[0]} passed, ${total[1]} failed`);
process.exit(total[1] === 0 && total[0] > 0 ? 0 : 1);
