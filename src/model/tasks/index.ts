import { OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { FeatureTask } from "./feature_extraction.js";
import type { RecognitionTask } from "./speech_recognition.js";
import { languagesIn, onlyTask } from "./task_params.js";
import type { ClassificationTask } from "./text_classification.js";
import type { GenerationTask, TextTask } from "./text_task.js";
import type { TaggingTask } from "./token_classification.js";

/** What `pipeline` returns, by the name of the task. */
export interface Tasks {
  readonly text2text: TextTask;
  readonly translation: TextTask<"translation_text">;
  readonly summarization: TextTask<"summary_text">;
  readonly "text-generation": GenerationTask;
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
export type Opener<T> = (source: CheckpointLike, options?: LoadOptions, name?: string) => Promise<T>;

/** Opens text to text with an encoder-decoder. Throws InputError for other models, and all that `load` throws. */
export const text2text: Opener<TextTask> = async (...given) => (await import("./generation.js")).text2text(...given);

/**
 * Opens translation with an encoder-decoder; its parameters are those of `name`, such as translation_en_to_de, in
 * `task_specific_params` of config.json. Throws as `text2text` does.
 */
export const translation: Opener<TextTask<"translation_text">> = async (...given) =>
  (await import("./generation.js")).translation(...given);

/** Opens summarization with an encoder-decoder. Throws as `text2text` does. */
export const summarization: Opener<TextTask<"summary_text">> = async (...given) =>
  (await import("./generation.js")).summarization(...given);

/**
 * Opens continuation of text with a decoder-only model. Throws InputError for other models, and all that `load` throws.
 */
export const textGeneration: Opener<GenerationTask> = async (...given) =>
  (await import("./generation.js")).textGeneration(...given);

/**
 * Opens feature extraction, with the pooling of a sentence-transformers folder by default. Throws CheckpointError when
 * the model is not an encoder, and all that `load` throws.
 */
export const featureExtraction: Opener<FeatureTask> = async (source, options) =>
  (await import("./feature_extraction.js")).featureExtraction(source, options);

/**
 * Opens classification of texts or pairs. Throws CheckpointError without a classifier of sequences, and all that `load`
 * throws.
 */
export const textClassification: Opener<ClassificationTask> = async (source, options) =>
  (await import("./text_classification.js")).textClassification(source, options);

/** Opens labels for parts of texts. Throws CheckpointError without a classifier of tokens, and all that `load` throws. */
export const tokenClassification: Opener<TaggingTask> = async (source, options) =>
  (await import("./token_classification.js")).tokenClassification(source, options);

/**
 * Opens speech recognition with Whisper or Moonshine. Throws CheckpointError for a model that hears nothing, and all
 * that `load` throws.
 */
export const speechRecognition: Opener<RecognitionTask> = async (source, options) =>
  (await import("./speech_recognition.js")).speechRecognition(source, options);

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
export async function defaultTask(checkpoint: Checkpoint): Promise<keyof Tasks> {
  const { describeCheckpoint } = await import("../families/index.js");
  const { family, encoder, decoder, head } = (await describeCheckpoint(checkpoint)).architecture;
  if (decoder && encoder?.stem) return "automatic-speech-recognition";
  if (decoder && encoder) return onlyTask(checkpoint.config) ?? (family === "m2m_100" ? "translation" : "text2text");
  if (decoder) return "text-generation";
  if (!head?.classifier) return "feature-extraction";
  return head.classifier === "tokens" ? "token-classification" : "text-classification";
}
