import { OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, CheckpointLike } from "../checkpoint/checkpoint.js";
import { describeCheckpoint } from "../families/index.js";
import type { LoadOptions } from "../load.js";
import { featureExtraction, type FeatureTask } from "./feature_extraction.js";
import { summarization, text2text, textGeneration, translation } from "./generation.js";
import { type RecognitionTask, speechRecognition } from "./speech_recognition.js";
import { languagesIn, onlyTask } from "./task_params.js";
import { type ClassificationTask, textClassification } from "./text_classification.js";
import type { TextTask } from "./text_task.js";
import { type TaggingTask, tokenClassification } from "./token_classification.js";

/** What `pipeline` returns, by the name of the task. */
export interface Tasks {
  readonly text2text: TextTask;
  readonly translation: TextTask<"translation_text">;
  readonly summarization: TextTask<"summary_text">;
  readonly "text-generation": TextTask;
  readonly "feature-extraction": FeatureTask;
  readonly "text-classification": ClassificationTask;
  readonly "token-classification": TaggingTask;
  readonly "automatic-speech-recognition": RecognitionTask;
}

/** The name of a task, here or on the Hub. */
export type TaskName = keyof Tasks | "text2text-generation" | `translation_${string}_to_${string}`;

/** The task of a name. */
export type TaskOf<N extends TaskName> = N extends keyof Tasks
  ? Tasks[N]
  : N extends "text2text-generation"
    ? Tasks["text2text"]
    : Tasks["translation"];

/** Opens a task; `name` is what the caller and config.json call it. */
type Opener<T> = (source: CheckpointLike, options?: LoadOptions, name?: string) => Promise<T>;

const TASKS: { readonly [T in keyof Tasks]: Opener<Tasks[T]> } = {
  text2text,
  translation,
  summarization,
  "text-generation": textGeneration,
  "feature-extraction": featureExtraction,
  "text-classification": textClassification,
  "token-classification": tokenClassification,
  "automatic-speech-recognition": speechRecognition,
};

/**
 * Opens a task on a checkpoint: from text to text, vectors or labels, or from speech to text. Throws OptionError for an unknown task,
 * CheckpointError or InputError when the model is not one for the task, and all that `load` throws.
 */
export async function pipeline<N extends TaskName>(
  task: N,
  source: CheckpointLike,
  options?: LoadOptions,
): Promise<TaskOf<N>> {
  const kind = languagesIn(task) ? "translation" : task === "text2text-generation" ? "text2text" : task;
  if (!Object.hasOwn(TASKS, kind))
    throw new OptionError(
      `pipeline: task must be one of ${Object.keys(TASKS).join(", ")}, or translation_XX_to_YY, got ${show(task)}`,
    );
  const open: Opener<Tasks[keyof Tasks]> = TASKS[kind as keyof Tasks];
  return (await open(source, options, task)) as TaskOf<N>;
}

/**
 * The task that a checkpoint is for: the only one of `task_specific_params` in config.json if it is one of ours, or else
 * that of its architecture. Throws CheckpointError for a family that is not supported.
 */
export function defaultTask(checkpoint: Checkpoint): keyof Tasks {
  const { family, encoder, decoder, head } = describeCheckpoint(checkpoint).architecture;
  if (decoder && encoder?.stem) return "automatic-speech-recognition";
  if (decoder && encoder) return onlyTask(checkpoint.config) ?? (family === "m2m_100" ? "translation" : "text2text");
  if (decoder) return "text-generation";
  if (!head?.classifier) return "feature-extraction";
  return head.classifier === "tokens" ? "token-classification" : "text-classification";
}
