import { load, type Model, OptionError, type SamplePlan, samplePlans } from "../index.js";

/** `--name value` of the command line, values read as JSON where they are JSON. */
export type Options = Readonly<Record<string, unknown>>;

/** One verb of the command line. */
export interface Verb {
  /** What follows the verb, such as `MODEL [TEXT ...]`. */
  readonly usage: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** What `wgformer VERB --help` says below that. */
  readonly details?: string;
  /** Its options, as one writes them, and what each does. */
  readonly options?: Readonly<Record<string, string>>;
  /**
   * Runs it. `source` is the model, which only a verb without MODEL in its usage goes without. Throws OptionError on
   * bad words.
   */
  run(source: string, words: readonly string[], options: Options): Promise<void>;
}

/** The option of all verbs that load a model. */
export const DTYPE = {
  "--dtype auto|f32|f16|int8|int4": "storage of the weight matrices; auto: as the checkpoint has them",
} as const;

/** Throws OptionError when an option is none of `known`, or when words follow that the verb does not take. */
export function checkArguments(
  verb: string,
  options: Options,
  known: readonly string[],
  words: readonly string[],
): void {
  const stray = Object.keys(options).find((name) => !known.includes(name));
  if (stray) throw new OptionError(`${verb}: options must be ${known.join(" and ")}, got ${stray}`);
  if (words.length) throw new OptionError(`${verb}: takes no text, got ${words[0]}`);
}

/** Loads a model, runs `call` on it and disposes of it. */
export async function withModel(source: string, dtype: unknown, call: (model: Model) => Promise<void>): Promise<void> {
  const model = await load(source, { dtype: dtype as never });
  try {
    await call(model);
  } finally {
    model.dispose();
  }
}

/** Numbers of rows as `--rows 8` or `--rows [1,8]` gives them. Throws OptionError on anything else. */
export function readRows(verb: string, rows: unknown, otherwise: readonly number[]): readonly number[] {
  const list: readonly unknown[] = rows === undefined ? otherwise : [rows].flat();
  const whole = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;
  if (list.length && list.every(whole)) return list;
  throw new OptionError(`${verb}: rows must be a whole number from 1 or a list of such, got ${JSON.stringify(rows)}`);
}

/** The model's plans, over each number of rows, one at a time with its inputs on the device. */
export async function forEachPlan(
  model: Model,
  rows: readonly number[],
  call: (sample: SamplePlan, title: string) => Promise<void>,
): Promise<void> {
  await model.run(async (core) => {
    for (const count of rows) {
      for (const sample of samplePlans(core, count)) {
        sample.write();
        try {
          await call(sample, `${sample.plan.name}, ${count} ${count === 1 ? "row" : "rows"}`);
        } finally {
          sample.dispose();
        }
      }
    }
  });
}
