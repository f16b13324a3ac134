import { CALLBACK, checkOptions, FLAG, objectWith, oneOf, wholeNumber } from "./checks.js";

const OPTIONS = {
  device: objectWith("a GPUDevice", "createBuffer"),
  powerPreference: oneOf("high-performance", "low-power"),
  features: { words: "a list of the names of features", holds: Array.isArray },
  guard: FLAG,
  adapter: oneOf("cpu", "gpu"),
  unroll: FLAG,
  tuned: FLAG,
  weightLimit: wholeNumber(1, Infinity),
  submitFlops: wholeNumber(1, Infinity),
  launchFlops: wholeNumber(1, Infinity),
  onDeviceLost: CALLBACK,
  onFallback: CALLBACK,
  onCompile: CALLBACK,
};

/** Throws OptionError for options of `gpu()` that it does not take, and for wrong values. */
export const checkGpuOptions = (options: unknown): void => checkOptions("gpu", options, OPTIONS);
