import { verify as verifyPlan } from "../index.js";
import { option, MODEL_OPTIONS } from "./options.js";
import { forEachPlan, rowsOf, rowsOption, withModel } from "./models.js";
import { print } from "./terminal.js";
import type { Verb } from "./verb.js";

/** `wgformer verify`: prints the first launch of each plan that differs from its reference. */
export const verify: Verb = {
  usage: "MODEL",
  words: [1, 1],
  summary: "compare each launch of a model on this device with its reference",
  details:
    "An encoder batch, a prompt and a decode step of the model run launch by launch, on the device and in float64 on the same inputs; the first launch of each that differs is named. The exit code is 1 when one does.",
  sections: {
    Options: {
      rows: rowsOption("Packed rows of each plan. Default 2,16: few and many rows take different kernels."),
      tolerance: option(
        { words: "a number above 0", holds: (value) => typeof value === "number" && value > 0 },
        "The most that |got - want| may be of max(1, |want|). Default 1e-4.",
      ),
      ...MODEL_OPTIONS,
    },
  },
  async run(call) {
    const { rows, tolerance = 1e-4 } = call.options as { rows?: unknown; tolerance?: number };
    let code = 0;
    await withModel(call, (model) =>
      forEachPlan(model, rowsOf(rows, [2, 16]), async ({ plan }, title) => {
        call.terminal.signal.throwIfAborted();
        const found = await verifyPlan(model.gpu, plan, tolerance);
        if (!found) return print(call.terminal, `${title}: ${plan.launches.length} launches agree within ${tolerance}`);
        code = 1;
        const { launch, kernel, label, tensor, index, got, want } = found;
        const place = `${title}: launch ${launch} (${kernel} ${label}): ${tensor}[${index}]`;
        await print(call.terminal, `${place} must be ${want}, got ${got}`);
      }),
    );
    return code;
  },
};
