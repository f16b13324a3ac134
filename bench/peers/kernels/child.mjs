// Measures one rival in Node or Deno, in a process of its own: kernels/child.mjs ort|tfjs|jax [ROUNDS].
// Prints rows as JSON lines.
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as wgformer from "../build/wgformer.mjs";
import { watchOthers } from "../harness.mjs";
import { counted } from "../turns.mjs";
import { compareKernels } from "./compare.mjs";
import { openJax } from "./jax.mjs";
import { openOrt } from "./ort.mjs";
import { openOurs } from "./ours.mjs";
import { openTfjs } from "./tfjs.mjs";

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL("..", import.meta.url));
const versionOf = (name) => require(`${folder}node_modules/${name}/package.json`).version;

/** Puts the WebGPU of npm's `webgpu` where browsers have theirs; both sides then use it. */
async function polyfill() {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const value = { gpu: create([]), userAgent: `Node.js/${process.versions.node}` };
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
}

/** jax-js maps and filters iterators, which Node can from version 22 on. */
function addIteratorHelpers() {
  const iterators = Object.getPrototypeOf(Object.getPrototypeOf([].values()));
  iterators.map ??= function* (turn) {
    for (const item of this) yield turn(item);
  };
  iterators.filter ??= function* (keep) {
    for (const item of this) if (keep(item)) yield item;
  };
}

const RIVALS = {
  ort: { package: "onnxruntime-node", open: () => openOrt(require("onnxruntime-node"), folder) },
  tfjs: {
    package: "@tensorflow/tfjs-core",
    open() {
      const tf = require("@tensorflow/tfjs-core"); // its ES modules take Node's util from a bundler
      require("@tensorflow/tfjs-backend-webgpu");
      return openTfjs(tf);
    },
  },
  jax: {
    package: "@jax-js/jax",
    async open() {
      addIteratorHelpers();
      return openJax(await import("@jax-js/jax"));
    },
  },
};

const [name, rounds] = process.argv.slice(2);
const rival = RIVALS[name];
if (!rival) throw new Error(`kernels: the rival must be one of ${Object.keys(RIVALS).join(", ")}, got ${name}`);
const visible = name !== "ort"; // onnxruntime-node has a WebGPU of its own, out of sight
if (visible && !globalThis.Deno) await polyfill();
const ours = await openOurs(wgformer);
console.log(`${rival.package} ${versionOf(rival.package)}; wgformer: ${ours.adapter}`);
await compareKernels({
  ours,
  theirs: await rival.open(),
  count: visible ? counted : undefined,
  watch: watchOthers,
  rounds: rounds && Number(rounds),
  report: (row) => console.log(`row ${JSON.stringify(row)}`),
});
process.exit(0); // devices keep the process alive
