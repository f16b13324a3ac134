import { OptionError, verify as verifyPlan } from "../index.js";
import { DTYPE, forEachPlan, readRows, type Verb, withModel } from "./verb.js";

/** `wgformer verify`: prints the first launch of each plan that differs from its reference. */
export const verify: Verb = {
  usage: "MODEL",
  summary: "compare each launch of a model on this device with its reference",
  details: `Runs an encoder batch, a prompt and a decode step of the model, launch by launch, on the device and in float64 on the same inputs,
and names the first launch of each that differs. The exit code is 1 when one does.`,
  options: {
    "--rows 16, --rows [2,16]": "packed rows of each plan; default [2,16]: few and many rows take different kernels",
    "--tolerance 1e-4": "the most that |got - want| may be of max(1, |want|)",
    ...DTYPE,
  },
  async run(source, _texts, options) {
    const { dtype, tolerance = 1e-4 } = options;
    if (typeof tolerance !== "number" || !(tolerance > 0))
      throw new OptionError(`verify: tolerance must be a number above 0, got ${JSON.stringify(tolerance)}`);
    const rows = readRows("verify", options.rows, [2, 16]);
    await withModel(source, dtype, (model) =>
      forEachPlan(model, rows, async ({ plan }, title) => {
        const found = await verifyPlan(model.gpu, plan, tolerance);
        if (!found) return console.log(`${title}: ${plan.launches.length} launches agree within ${tolerance}`);
        process.exitCode = 1;
        const { launch, kernel, label, tensor, index, got, want } = found;
        console.log(`${title}: launch ${launch} (${kernel} ${label}): ${tensor}[${index}] must be ${want}, got ${got}`);
      }),
    );
  },
};
