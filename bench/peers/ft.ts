// The decoder of FasterTransformer's benchmark and a beam loop in JavaScript, for the part `ft`.
export { load } from "../../src/index.js";
export { storedTensors } from "../../tests/support/safetensors.js";
export * from "../support/ft.js";
export * from "../support/host_loop.js";
