import { OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, CheckpointLike } from "../checkpoint/checkpoint.js";
import { describeCheckpoint } from "../families/index.js";
import type { LoadOptions } from "../model.js";
import { featureExtraction, type FeatureTask } from "./feature_extraction.js";
import { text2text, textGeneration, type TextTask } from "./generation.js";
import { type ClassificationTask, textClassification } from "./text_classification.js";
import { type TaggingTask, tokenClassification } from "./token_classification.js";

/** What `pipeline` makes, by the name of the task. */
export interface Tasks {
  readonly text2text: TextTask;
  readonly "text-generation": TextTask;
  readonly "feature-extraction": FeatureTask;
  readonly "text-classification": ClassificationTask;
  readonly "token-classification": TaggingTask;
}

type Opener<T> = (source: CheckpointLike, options?: LoadOptions) => Promise<T>;

const TASKS: { readonly [T in keyof Tasks]: Opener<Tasks[T]> } = {
  text2text,
  "text-generation": textGeneration,
  "feature-extraction": featureExtraction,
  "text-classification": textClassification,
  "token-classification": tokenClassification,
};

/**
 * A task on a checkpoint: text in, text, vectors or labels out. Throws OptionError for an unknown task, and as `load`
 * does.
 */
export async function pipeline<T extends keyof Tasks>(
  task: T,
  source: CheckpointLike,
  options?: LoadOptions,
): Promise<Tasks[T]> {
  if (!Object.hasOwn(TASKS, task))
    throw new OptionError(`pipeline: task must be one of ${Object.keys(TASKS).join(", ")}, got ${show(task)}`);
  return TASKS[task](source, options);
}

/** The task that a checkpoint is for, by its architecture. Throws CheckpointError for a family we do not have. */
export function defaultTask(checkpoint: Checkpoint): keyof Tasks {
  const { encoder, decoder, head } = describeCheckpoint(checkpoint).architecture;
  if (decoder) return encoder ? "text2text" : "text-generation";
  if (!head?.classifier) return "feature-extraction";
  return head.classifier === "tokens" ? "token-classification" : "text-classification";
}
