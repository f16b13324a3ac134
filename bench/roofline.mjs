// Predicts the time of a model on a GPU from its plans and the figures of the device, without either:
// node bench/roofline.mjs MODEL --gpu "RTX 4070". MODEL is a folder, an id of the Hub, a config.json, or a known shape.
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundleText } from "../tests/support/bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = /** @type {const} */ ({ type: "string" });
try {
  const {
    values: { sample, measure, table, ...words },
    positionals,
  } = parseArgs({
    allowPositionals: true,
    options: {
      gpu: text, // of the table in bench/roofline/devices.ts
      results: text, // a file of npm run bench, for the device on which it was measured
      bandwidth: text, // GB/s, with tflops, for a GPU that is not in the table
      tflops: text,
      vendor: text,
      dtype: text, // of the weights, as in load()
      "lm-head": text, // lm_head_dtype of load()
      cache: text, // of keys and values
      rows: text, // inputs that are run together
      prompt: text, // tokens of each
      tokens: text, // new tokens of each
      beams: text,
      sample: { type: "boolean" }, // tokens are drawn
      table: { type: "boolean" }, // of the shares that docs/performance.md shows, instead of a model
      measure: { type: "boolean" }, // on the device that is here, by its measured roofs
    },
  });
  await bundleText('export { roofline } from "../bench/roofline/main.js";', "build/roofline.mjs", { platform: "node" });
  const { roofline } = await import(pathToFileURL(`${root}build/roofline.mjs`).href);
  for (const line of await roofline(positionals[0], words, { sample, measure, table })) console.log(line);
} catch (error) {
  console.error(`roofline: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
process.exit(); // or a device would keep this process
