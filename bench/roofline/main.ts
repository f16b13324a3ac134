import { type Checkpoint, type Json, openCheckpoint } from "../../src/model/checkpoint/checkpoint.js";
import { LOGITS_FORMATS, WEIGHT_FORMATS } from "../../src/model/checkpoint/weight_formats.js";
import { gpu as openGpu, load, samplePlans } from "../../src/index.js";
import { readResults } from "../support/results.js";
import { CACHE_FORMATS } from "../../src/model/graph/architecture.js";
import { describeRoofs, measureRoofs } from "../support/roofs.js";
import { comparePlan } from "./compare.js";
import { DEVICES, figuresOf, type Figures, findDevice, findVendor } from "./devices.js";
import { resultFigures } from "./observed.js";
import { predict } from "./predict.js";
import { callLines, comparisonLines, deviceLine, planLines } from "./report.js";
import { shareTable } from "./table.js";
import { findShape, SHAPES, shapeOf } from "./shapes.js";

/** The texts of the command line, by the names of its options. */
export type Words = Readonly<Record<string, string | undefined>>;

/** Its options without a text. */
export interface Flags {
  /** Tokens are drawn. */
  readonly sample?: boolean;
  /** On the device that is here: the prediction by its measured roofs, and what it takes. */
  readonly measure?: boolean;
  /** The shares of the roofs that launches of known models should reach, instead of a model. */
  readonly table?: boolean;
}

/** A number of an option; throws Error for anything else. */
function numberOf(words: Words, name: string, least: number): number | undefined {
  const text = words[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= least)) throw new Error(`--${name} must be a number of at least ${least}, got ${text}`);
  return value;
}

/** The device of the options: that of measured results, one of the table, or any, by its figures. */
async function deviceOf(words: Words): Promise<Figures> {
  if (words.results !== undefined) {
    const { readFile } = await import("node:fs/promises");
    return resultFigures(readResults(await readFile(words.results, "utf8"), words.results));
  }
  const [gb_s, tflop_s] = [numberOf(words, "bandwidth", 0.1), numberOf(words, "tflops", 0.001)];
  const vendor = findVendor(words.vendor ?? "nvidia");
  if (!vendor) throw new Error(`--vendor must be amd, apple, intel, nvidia or qualcomm, got ${words.vendor}`);
  if (gb_s !== undefined && tflop_s !== undefined)
    return figuresOf({ name: words.gpu ?? "this GPU", vendor, gb_s, tflop_s, source: "as given" });
  const found = findDevice(words.gpu ?? "RTX 4070");
  if (!found)
    throw new Error(
      `--gpu must be one of ${DEVICES.join(", ")}, or come with --bandwidth GB/s and --tflops; got ${words.gpu}`,
    );
  return found;
}

/** One of some names, or nothing. Throws Error for another. */
function oneOf<T extends string>(words: Words, option: string, names: readonly T[]): T | undefined {
  const found = names.find((name) => name === words[option]);
  if (words[option] !== undefined && !found)
    throw new Error(`--${option} must be one of ${names.join(", ")}, got ${words[option]}`);
  return found;
}

/** A folder, an id of the Hub, a file config.json, or the name of a shape. */
async function checkpointOf(model: string): Promise<Checkpoint> {
  const shape = findShape(model);
  if (shape) return shapeOf(shape, SHAPES[shape]);
  if (model.endsWith(".json")) {
    const { readFile } = await import("node:fs/promises");
    return shapeOf(model, JSON.parse(await readFile(model, "utf8")) as Json);
  }
  return openCheckpoint(model);
}

/** The lines of `npm run roofline`. Throws Error for words that it does not take, and as `load` does. */
export async function roofline(model: string | undefined, words: Words, flags: Flags = {}): Promise<string[]> {
  if (flags.table) return shareTable();
  if (!model)
    throw new Error(
      `MODEL must be a folder, an id of the Hub, a config.json, or one of ${Object.keys(SHAPES).join(", ")}`,
    );
  if (flags.measure) return measureModel(model, words);
  const figures = await deviceOf(words);
  const checkpoint = await checkpointOf(model);
  const [rows = 1, input_length = 64] = [numberOf(words, "rows", 1), numberOf(words, "prompt", 1)];
  const [max_new_tokens, num_beams] = [numberOf(words, "tokens", 1), numberOf(words, "beams", 1)];
  const options = {
    ...(max_new_tokens && { max_new_tokens }),
    ...(num_beams && { num_beams }),
    ...(flags.sample && { do_sample: true, num_beams: num_beams ?? 1 }),
  };
  const formats = {
    dtype: oneOf(words, "dtype", WEIGHT_FORMATS),
    cache: oneOf(words, "cache", CACHE_FORMATS),
    lm_head_dtype: oneOf(words, "lm-head", LOGITS_FORMATS),
  };
  const call = { ...formats, rows, input_length, options };
  const plans = await predict(checkpoint, call, figures);
  return [
    deviceLine(figures),
    ...plans.flatMap((plan) => ["", ...planLines(plan)]),
    "",
    ...callLines(plans, rows, max_new_tokens ?? 20),
  ];
}

/** Predicts the plans of a model by the roofs of the device that is here, and measures them. */
async function measureModel(source: string, words: Words): Promise<string[]> {
  const rows = numberOf(words, "rows", 1) ?? 1;
  const gpu = await openGpu();
  try {
    const roofs = await measureRoofs(gpu);
    const model = await load(source, { gpu, dtype: oneOf(words, "dtype", WEIGHT_FORMATS) });
    const lines = [gpu.info.description, describeRoofs(roofs)];
    for (const sample of await model.run((core) => samplePlans(core, rows))) {
      sample.write();
      lines.push("", ...comparisonLines(sample.plan.name, await comparePlan(gpu, sample.plan, roofs)));
      sample.dispose();
    }
    return lines;
  } finally {
    gpu.dispose();
  }
}
