import { OptionError } from "../runtime/errors.js";
import type { LoadOptions } from "./model.js";
import type { SourceLike } from "./source.js";
import { type Text2Text, text2text } from "./tasks/text2text.js";

const TASKS = { text2text } as const;

/** A task on a checkpoint: text in, text out. Throws OptionError for an unknown task, and as `load` does. */
export async function pipeline(task: "text2text", source: SourceLike, options?: LoadOptions): Promise<Text2Text> {
  const open = TASKS[task];
  if (!open) throw new OptionError(`pipeline: task must be one of ${Object.keys(TASKS).join(", ")}, got ${JSON.stringify(task)}`);
  return open(source, options);
}
