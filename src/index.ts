export { load, type GenerateResult, type LoadOptions, type Model } from "./model/model.js";
export type { GenerateOptions } from "./model/options.js";
export type { ModelInputs, TokenRows } from "./model/inputs.js";
