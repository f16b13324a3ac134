import { DTYPE, readRows, type Verb, withModel } from "./verb.js";

/**
 * `wgformer tune`: measures the launches of a model, and prints the fastest variant of each and where they are stored.
 */
export const tune: Verb = {
  usage: "MODEL",
  summary: "measure kernel variants on this device and keep the fastest",
  options: {
    "--rows 8, --rows [1,8,128]":
      "packed rows of a batch, or beams of a step, to measure for; default powers of two to 512",
    ...DTYPE,
  },
  async run(source, _texts, options) {
    const rows = options.rows === undefined ? undefined : readRows("tune", options.rows, []);
    await withModel(source, options.dtype, async (model) => {
      let fault: string | undefined;
      await model.tune({
        rows,
        progress({ key, tuned: { variant, constants }, speedup, unsaved, loaded, total }) {
          fault ??= unsaved;
          console.log(
            `${loaded}/${total}  ${key.padEnd(52)} ${variant} ${JSON.stringify(constants)}  ${speedup.toFixed(2)} times as fast`,
          );
        },
      });
      console.log(fault ? `not kept: ${fault}` : `kept in ${model.gpu.tuning.place}`);
    });
  },
};
