/** The text of a shader. */
declare module "*.wgsl" {
  const source: string;
  export default source;
}

/** What each option of `generate()` does: the build collects the comments in src/model/decode/options.ts. */
declare module "option-docs" {
  const docs: Readonly<Record<string, string>>;
  export default docs;
}
