import { type Arguments } from "./arguments.js";
import { load, type Model, OptionError, type SamplePlan, samplePlans, WEIGHT_FORMATS } from "../index.js";

/** The options of a command line by name; values that are JSON are parsed. */
export type Options = Arguments["options"];

/** A verb of the command line. */
export interface Verb {
  /** What follows the verb, such as `MODEL [TEXT ...]`. */
  readonly usage: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What `wgformer VERB --help` says after that. */
  readonly details?: string;
  /** Whether it reads requests from standard input. */
  readonly reads?: boolean;
  /** Its options, as they are written, and what each does. It gets no others. */
  readonly options?: Readonly<Record<string, string>>;
  /**
   * Runs it on the model `source`, which is empty for a verb without MODEL in its usage. Throws OptionError for bad
   * arguments.
   */
  run(source: string, texts: readonly string[], options: Options): Promise<void>;
}

/** The option of all verbs that load a model. */
export const DTYPE = {
  [`--dtype ${WEIGHT_FORMATS.join("|")}`]: "storage of the weight matrices; auto: as the checkpoint has them",
} as const;

/** Loads a model, runs `call` on it, and disposes of it. */
export async function withModel(source: string, dtype: unknown, call: (model: Model) => Promise<void>): Promise<void> {
  const model = await load(source, { dtype: dtype as never });
  try {
    await call(model);
  } finally {
    model.dispose();
  }
}

/**
 * The numbers of rows, to 65536, in `--rows 8` or `--rows [1,8]`, or `otherwise` by default. Throws OptionError for
 * anything else.
 */
export function readRows(verb: string, rows: unknown, otherwise: readonly number[]): readonly number[] {
  const list: readonly unknown[] = rows === undefined ? otherwise : [rows].flat();
  const whole = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65536;
  if (list.length && list.every(whole)) return list;
  throw new OptionError(
    `${verb}: rows must be a whole number from 1 to 65536 or a list of such, got ${JSON.stringify(rows)}`,
  );
}

/** Calls `call` with each plan of a model over each number of rows, its inputs written. */
export async function forEachPlan(
  model: Model,
  rows: readonly number[],
  call: (sample: SamplePlan, title: string) => Promise<void>,
): Promise<void> {
  await model.run(async (core) => {
    for (const count of rows) {
      for (const sample of await samplePlans(core, count)) {
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
