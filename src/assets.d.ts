/** The text of a shader. */
declare module "*.wgsl" {
  const source: string;
  export default source;
}

/**
 * What options do, by the interface that has them: the build collects the comments in src/model/. Those of `generate()`
 * are in `GenerateOptions`.
 */
declare module "option-docs" {
  const docs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  export default docs;
}
