import { OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, CheckpointLike } from "../checkpoint/checkpoint.js";
import { describeCheckpoint } from "../families/index.js";
import type { LoadOptions } from "../load.js";
import { featureExtraction, type FeatureTask } from "./feature_extraction.js";
import { text2text, textGeneration, type TextTask } from "./generation.js";
import { type ClassificationTask, textClassification } from "./text_classification.js";
import { type TaggingTask, tokenClassification } from "./token_classification.js";

/** What `pipeline` returns, by the name of the task. */
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
 * Opens a task on a checkpoint, from text to text, vectors or labels. Throws OptionError for an unknown task,
 * CheckpointError or InputError when the model is not one for the task, and all that `load` throws.
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

/**
 * The task that a checkpoint is for, by its architecture. Throws CheckpointError for a family that is not supported.
 */
export function defaultTask(checkpoint: Checkpoint): keyof Tasks {
  const { encoder, decoder, head } = describeCheckpoint(checkpoint).architecture;
  if (decoder) return encoder ? "text2text" : "text-generation";
  if (!head?.classifier) return "feature-extraction";
  return head.classifier === "tokens" ? "token-classification" : "text-classification";
}
