// Runs in Chrome: one rival's kernels and wgformer's, in turn.
import * as wgformer from "/build/wgformer.mjs";
import { counted } from "/dispatches.mjs";
import { CASES } from "./cases.mjs";
import { openJax } from "./jax.mjs";
import { openOrt } from "./ort.mjs";
import { openOurs } from "./ours.mjs";
import { openTfjs } from "./tfjs.mjs";
import { compareKernels } from "./turns.mjs";

const RIVALS = {
  ort: async () => openOrt(await import("/node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs"), "/"),
  tfjs: async () => openTfjs((await import("/build/tfjs.mjs")).tf),
  jax: async () => openJax(await import("/node_modules/@jax-js/jax/dist/index.js")),
};

/** Both sides' devices; returns the adapter's name. */
export async function open(name) {
  const ours = await openOurs(wgformer);
  globalThis.kernels = { ours, theirs: await RIVALS[name]() };
  return ours.adapter;
}

/** The rows of one case. */
export async function measure(index, rounds) {
  const rows = [];
  await compareKernels({
    ...globalThis.kernels,
    count: counted,
    cases: [CASES[index]],
    rounds,
    report: (row) => rows.push(row),
  });
  return rows;
}
