import { load, type Model, openCheckpoint, type SamplePlan, samplePlans } from "../index.js";
import type { Rule } from "../runtime/checks.js";
import { option, split } from "./options.js";
import { loadMeter } from "./progress.js";
import type { Call } from "./verb.js";

/** Opens the checkpoint of a call; `load` is how to load it, `loading` waits for that and ends what is shown of it. */
export async function openModel({ model, options, terminal }: Call) {
  const [{ dtype, lm_head_dtype, cache, ...hub }] = split(options);
  const { signal } = terminal;
  const shown = loadMeter(terminal);
  const checkpoint = await openCheckpoint(model, { ...hub, signal });
  const loading = async <T>(model: Promise<T>): Promise<T> => {
    try {
      return await model;
    } finally {
      await shown.clear();
    }
  };
  return { checkpoint, load: { dtype, lm_head_dtype, cache, signal, progress: shown.progress }, loading };
}

/** Loads the model of a call, runs `use` on it, and disposes of it. */
export async function withModel<T>(call: Call, use: (model: Model) => Promise<T>): Promise<T> {
  const { checkpoint, load: how, loading } = await openModel(call);
  const model = await loading(load(checkpoint, how));
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

const MOST = 65536;
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) > 0 && Number(value) <= MOST;

const ROWS: Rule = {
  words: `a whole number from 1 to ${MOST}, or a list of such`,
  holds: (value) => isCount(value) || (Array.isArray(value) && value.length > 0 && value.every(isCount)),
};

/** The option of the rows of plans. */
export const rowsOption = (doc: string) => option(ROWS, doc);

/** The numbers of rows that are given. */
export const rowsOf = (rows: unknown, otherwise: readonly number[]): readonly number[] =>
  rows === undefined ? otherwise : ([rows].flat() as number[]);

/** Calls `use` with each plan of a model over each number of rows, its inputs written. */
export async function forEachPlan(
  model: Model,
  rows: readonly number[],
  use: (sample: SamplePlan, title: string) => Promise<void>,
): Promise<void> {
  await model.run(async (core) => {
    for (const count of rows) {
      for (const sample of await samplePlans(core, count)) {
        sample.write();
        try {
          await use(sample, `${sample.plan.name}, ${count} ${count === 1 ? "row" : "rows"}`);
        } finally {
          sample.dispose();
        }
      }
    }
  });
}
