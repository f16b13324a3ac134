import { CALLBACK, checkOptions, SIGNAL, wholeNumber } from "../runtime/checks.js";
import { tune, type TuneHooks } from "../runtime/tune.js";
import type { TunedChoices } from "../runtime/variants.js";
import type { Core } from "./core.js";
import { samplePlans } from "./plans.js";

/** What to tune for. */
export interface TuneOptions extends TuneHooks {
  /** Numbers of rows to measure: of tokens in a batch, or of beams in a step. Default: powers of two up to 512. */
  readonly rows?: readonly number[];
}

const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

const count = wholeNumber(1);
const OPTIONS = {
  rows: {
    words: "a list of whole numbers of at least 1",
    holds: (value: unknown) => Array.isArray(value) && Array.from(value as unknown[]).every(count.holds),
  },
  signal: SIGNAL,
  progress: CALLBACK,
};

/** Measures the launches of a model's plans on its device. Throws OptionError, and the signal's reason when aborted. */
export async function tuneModel(core: Core, options: TuneOptions): Promise<TunedChoices> {
  checkOptions("tune", options, OPTIONS);
  const { rows = ROWS, ...hooks } = options;
  const plans = rows.flatMap((N) => samplePlans(core, N).map(({ plan }) => plan));
  return tune(core.gpu, plans, hooks);
}
