import { generate } from "./generate.js";

globalThis.result = generate(new URL("/fixtures/gpt2", location.href));
