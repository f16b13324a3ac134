import { MODEL_OPTIONS } from "./options.js";
import { rowsOf, rowsOption, withModel } from "./models.js";
import { print } from "./terminal.js";
import type { Verb } from "./verb.js";

/**
 * `wgformer tune`: measures the launches of a model, and prints the fastest variant of each and where they are stored.
 */
export const tune: Verb = {
  usage: "MODEL",
  words: [1, 1],
  summary: "measure kernel variants on this device and keep the fastest",
  examples: ["models/gpt2-brown --rows 1,8,128"],
  sections: {
    Options: {
      rows: rowsOption("Packed rows of a batch, or beams of a step, to measure for. Default: powers of two to 512."),
      ...MODEL_OPTIONS,
    },
  },
  async run(call) {
    const { rows } = call.options;
    const { signal } = call.terminal;
    await withModel(call, async (model) => {
      let fault: string | undefined;
      await model.tune({
        rows: rows === undefined ? undefined : rowsOf(rows, []),
        signal,
        progress({ key, tuned: { variant, constants }, speedup, unsaved, skipped, loaded, total }) {
          fault ??= unsaved;
          const found = `${variant} ${JSON.stringify(constants)}  ${speedup.toFixed(2)} times as fast`;
          void print(
            call.terminal,
            `${loaded}/${total}  ${key.padEnd(52)} ${skipped ? `not measured: ${skipped}` : found}`,
          );
        },
      });
      await print(call.terminal, fault ? `not kept: ${fault}` : `kept in ${model.gpu.tuning.place}`);
    });
  },
};
