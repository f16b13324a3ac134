// Our side: the library and its kernels, as one bundle of the sources.
export * from "../../src/index.js";
export * from "../../src/kernels/index.js";
