// Kernels of rivals and ours, one by one, in Node, Deno and Chrome.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { inChrome } from "../browser.mjs";
import { here } from "../harness.mjs";
import { provePlacement } from "../placement.mjs";
import { CASES } from "./cases.mjs";
import { writeGraphs } from "./graphs.mjs";

const DENO = fileURLToPath(new URL("../../../node_modules/.bin/deno", import.meta.url));
const NAMES = {
  node: { ort: "onnxruntime-node", tfjs: "TensorFlow.js, Node", jax: "jax-js, Node" },
  deno: { tfjs: "TensorFlow.js, Deno", jax: "jax-js, Deno" },
  chrome: { ort: "onnxruntime-web, Chrome", tfjs: "TensorFlow.js, Chrome", jax: "jax-js, Chrome" },
};

/** One ES module of TensorFlow.js with its WebGPU backend, for the browser. */
async function bundleTfjs() {
  const contents = `export * as tf from "@tensorflow/tfjs-core"; import "@tensorflow/tfjs-backend-webgpu";`;
  await build({
    stdin: { contents, resolveDir: here },
    outfile: `${here}build/tfjs.mjs`,
    bundle: true,
    format: "esm",
    platform: "browser",
    logLevel: "error",
  });
}

/** One rival that fails must not take the rows of the others with it. */
const failed = (what, why) => console.error(`peers: ${what}: ${why}`);

async function measureAlone(command, args, onRow) {
  const child = spawn(command, args, { cwd: here, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("row ")) onRow(JSON.parse(line.slice(4)));
    else console.log(line);
  }
  const status = await ended;
  if (status !== 0) failed([command, ...args].join(" "), `ended with ${status}, see above`);
}

async function measureInChrome(rival, rounds, onRow) {
  await inChrome("kernels/compare.mjs", async (call, version) => {
    console.log(`Chrome ${version}, wgformer: ${await call("open", rival)}`);
    for (const index of CASES.keys()) (await call("measure", index, rounds)).forEach(onRow);
  });
}

export async function measureKernels(report, rounds) {
  for (const file of writeGraphs(CASES)) provePlacement(file, file.slice(`${here}build/kernels/`.length));
  await bundleTfjs();
  const as = (rival) => (row) => report({ ...row, rival });
  const script = `${here}kernels/child.mjs`;
  const some = rounds === undefined ? [] : [String(rounds)];
  for (const [key, name] of Object.entries(NAMES.node)) {
    await measureAlone(process.execPath, [script, key, ...some], as(name));
  }
  if (!existsSync(DENO)) throw new Error(`${DENO} must be there; run npm ci in the root of the repository`);
  for (const [key, name] of Object.entries(NAMES.deno)) {
    await measureAlone(DENO, ["run", "-A", "--quiet", script, key, ...some], as(name));
  }
  for (const [key, name] of Object.entries(NAMES.chrome)) {
    await measureInChrome(key, rounds, as(name)).catch((error) => failed(name, error.message));
  }
}
