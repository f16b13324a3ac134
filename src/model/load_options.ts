import { CALLBACK, checkOptions, objectWith, oneOf, SIGNAL } from "../runtime/checks.js";
import { OptionError } from "../runtime/errors.js";
import { WEIGHT_FORMATS } from "./checkpoint/weight_formats.js";
import type { LoadOptions } from "./load.js";

const OPTIONS = {
  dtype: oneOf(...WEIGHT_FORMATS),
  device: objectWith("a GPUDevice (WebGPU is what there is: leave it out)", "createBuffer"),
  gpu: objectWith("what gpu() gives (a GPUDevice goes into device)", "prepare", "dispose"),
  powerPreference: oneOf("high-performance", "low-power"),
  progress: CALLBACK,
  signal: SIGNAL,
  onDeviceLost: CALLBACK,
  onFallback: CALLBACK,
};

// What people write who come from elsewhere.
const CURES: Readonly<Record<string, string>> = {
  quantized: 'pass dtype: "int8"',
  load_in_8bit: 'pass dtype: "int8"',
  load_in_4bit: 'pass dtype: "int4"',
  progress_callback: "pass progress",
  revision: "give the URL of that revision",
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
