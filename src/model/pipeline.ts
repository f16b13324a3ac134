import { OptionError, show } from "../runtime/errors.js";
import type { LoadOptions } from "./model.js";
import type { SourceLike } from "./source.js";
import { text2text, textGeneration, type TextTask } from "./tasks/generation.js";

const TASKS = { text2text, "text-generation": textGeneration } as const;

/** A task on a checkpoint: text in, text out. Throws OptionError for an unknown task, and as `load` does. */
export async function pipeline(task: keyof typeof TASKS, source: SourceLike, options?: LoadOptions): Promise<TextTask> {
  if (!Object.hasOwn(TASKS, task))
    throw new OptionError(`pipeline: task must be one of ${Object.keys(TASKS).join(", ")}, got ${show(task)}`);
  return TASKS[task](source, options);
}
