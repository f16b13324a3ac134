import { generate } from "./generate.js";

// As polyfills have it. In a worker a wait would succeed, and stop everything else that runs there.
globalThis.setImmediate = (call) => setTimeout(() => call());
Atomics.wait = () => {
  throw new Error("the worker waits");
};

generate(new URL("/fixtures/gpt2", location.href)).then(
  (result) => postMessage({ result }),
  (error) => postMessage({ error: String(error) }),
);
