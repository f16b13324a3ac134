import { CALLBACK, checkOptions, FLAG, objectWith, oneOf, type Rule, SIGNAL } from "../runtime/checks.js";
import { OptionError } from "../runtime/errors.js";
import { LOGITS_FORMATS, WEIGHT_FORMATS } from "./checkpoint/weight_formats.js";
import { CACHE_FORMATS } from "./graph/architecture.js";
import type { LoadOptions } from "./load.js";

const isText = (value: unknown): boolean => typeof value === "string";
const TEXT: Rule = { words: "a text", holds: isText };
const textOrFalse = (words: string): Rule => ({ words, holds: (value) => isText(value) || value === false });

/** The options for models of the Hub. */
export const HUB_OPTIONS = {
  revision: TEXT,
  token: textOrFalse("a token of the Hub, or false"),
  endpoint: TEXT,
  cache_dir: textOrFalse("a folder, or false"),
  local_files_only: FLAG,
};

const OPTIONS = {
  ...HUB_OPTIONS,
  dtype: oneOf(...WEIGHT_FORMATS),
  lm_head_dtype: oneOf(...LOGITS_FORMATS),
  cache: oneOf(...CACHE_FORMATS),
  device: objectWith("a GPUDevice (WebGPU is what there is: leave it out)", "createBuffer"),
  gpu: objectWith("what gpu() gives (a GPUDevice goes into device)", "prepare", "dispose"),
  powerPreference: oneOf("high-performance", "low-power"),
  progress: CALLBACK,
  signal: SIGNAL,
  onDeviceLost: CALLBACK,
  onFallback: CALLBACK,
  onCompile: CALLBACK,
};

// What people write who come from elsewhere.
const CURES: Readonly<Record<string, string>> = {
  quantized: 'pass dtype: "int8"',
  load_in_8bit: 'pass dtype: "int8"',
  load_in_4bit: 'pass dtype: "int4"',
  progress_callback: "pass progress",
  use_auth_token: "pass token",
};

/** Throws OptionError for options of `load()` that it does not take, with the cure, and for wrong values. */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptions("load", options, OPTIONS, CURES);
  const [first, ...more] = (["gpu", "device", "powerPreference"] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (more.length)
    throw new OptionError(`load: ${more[0]} must be absent where ${first} is given, which says what runs the model`);
}
