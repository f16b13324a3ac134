/** The text of a shader. */
declare module "*.wgsl" {
  const source: string;
  export default source;
}

/** What the options of `generate()` do, by name: the comments above them in src/model/decode/options.ts, put here by the build. */
declare module "option-docs" {
  const docs: Readonly<Record<string, string>>;
  export default docs;
}
