// One rival against wgformer in whatever runtime this is loaded.
import * as wgformer from "../build/wgformer.mjs";
import { agreement, alternate, counted } from "../turns.mjs";
import { CASES, compare, inputsOf } from "./cases.mjs";
import { openJax } from "./jax.mjs";
import { openOrt } from "./ort.mjs";
import { openOurs } from "./ours.mjs";
import { openTfjs } from "./tfjs.mjs";

const ROUNDS = 9;
const TURN = 200; // ms that a side should take a turn
const MOST = 64; // launches

/** As many launches as a turn takes, and at least one. The first one compiles. */
async function launches({ repeat }) {
  await repeat(1);
  const start = performance.now();
  await repeat(1);
  return Math.min(MOST, Math.max(1, Math.round(TURN / (performance.now() - start))));
}

/**
 * Both sides `prepare(test, inputs, form)` to `output()`, [values, ids?]; `repeat(n)`, which ends when the last of n
 * launches is done; and `dispose()`. A rival may have several `forms(test)`. `count` counts dispatches of a call where
 * the rival's can be seen. A row whose outputs disagree says so, and has no times.
 */
export async function compareKernels({ ours, theirs, count, watch, report, cases = CASES, rounds = ROUNDS }) {
  for (const test of cases) {
    const inputs = inputsOf(test);
    const own = await ours.prepare(test, inputs);
    const want = await own.output();
    const forms = theirs.forms?.(test) ?? ["operator"];
    for (const form of forms) {
      const setting = forms.length > 1 ? `${test.name}, ${form}` : test.name;
      const rival = await theirs.prepare(test, inputs, form);
      const got = await rival.output();
      const { within: outputs, failed } = agreement(() => compare(got, want));
      const measured = failed ? { failed } : await time({ own, rival, count, watch, rounds });
      report({ setting, outputs, ...measured });
      await rival.dispose();
    }
    own.dispose();
  }
}

async function time({ own, rival, count, watch, rounds }) {
  const [ourLaunches, theirLaunches] = [await launches(own), await launches(rival)];
  const dispatches = count && (await count(() => rival.repeat(theirLaunches))).count / theirLaunches;
  if (dispatches === 0) throw new Error("kernels: the rival must give its work to the GPU, it dispatched nothing");
  const timed = await alternate(
    rounds,
    () => own.repeat(ourLaunches),
    () => rival.repeat(theirLaunches),
    watch,
  );
  return {
    theirs: timed.map((one) => one.theirs / theirLaunches),
    ours: timed.map((one) => one.ours / ourLaunches),
    others: watch && timed.map((one) => one.others),
    rounds,
    note:
      `${theirLaunches} and ${ourLaunches} launches a turn` +
      (dispatches ? `, theirs of ${Math.round(dispatches)} dispatches` : ""),
  };
}

const PACKAGES = "../node_modules/";
const IN_CHROME = {
  ort: async () => openOrt(await import(`${PACKAGES}onnxruntime-web/dist/ort.webgpu.bundle.min.mjs`), "/bench/peers/"),
  tfjs: async () => openTfjs((await import("../build/tfjs.mjs")).tf),
  jax: async () => openJax(await import(`${PACKAGES}@jax-js/jax/dist/index.js`)),
};

/** In Chrome: opens both sides' devices; returns the adapter's name. */
export async function open(name) {
  const ours = await openOurs(wgformer);
  globalThis.kernels = { ours, theirs: await IN_CHROME[name]() };
  return ours.adapter;
}

/** In Chrome: the rows of one case. */
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
