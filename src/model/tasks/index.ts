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

/**
 * Opens text to text with an encoder-decoder. Throws InputError for other models, and all that `load` throws.
 *
 * @example
 * const pronounce = await text2text("models/g2p-en");
 * const [{ generated_text }] = await pronounce("transformer");
 * console.log(generated_text); // T R AE0 N S F AO1 R M ER0
 */
export const text2text: Opener<TextTask> = async (...given) => (await import("./generation.js")).text2text(...given);

/**
 * Opens translation with an encoder-decoder; its parameters are those of `name`, such as translation_en_to_de, in
 * `task_specific_params` of config.json. Throws as `text2text` does.
 *
 * @example
 * const translate = await translation("models/nllb-200-distilled-600M");
 * const [{ translation_text }] = await translate("Good morning.", { src_lang: "eng_Latn", tgt_lang: "fra_Latn" });
 * console.log(translation_text);
 */
export const translation: Opener<TextTask<"translation_text">> = async (...given) =>
  (await import("./generation.js")).translation(...given);

/**
 * Opens summarization with an encoder-decoder. Throws as `text2text` does.
 *
 * @example
 * const summarize = await summarization("models/bart-large-cnn");
 * const [{ summary_text }] = await summarize("A long text ...", { max_length: 60, num_beams: 4 });
 * console.log(summary_text);
 */
export const summarization: Opener<TextTask<"summary_text">> = async (...given) =>
  (await import("./generation.js")).summarization(...given);

/**
 * Opens continuation of text with a decoder-only model. Throws InputError for other models, and all that `load` throws.
 *
 * @example
 * const generate = await textGeneration("models/gpt2-brown");
 * for await (const { text } of generate.stream("The jury said", { max_new_tokens: 20 })) console.log(text);
 * generate.dispose();
 */
export const textGeneration: Opener<GenerationTask> = async (...given) =>
  (await import("./generation.js")).textGeneration(...given);

/**
 * Opens feature extraction, with the pooling of a sentence-transformers folder by default. Throws CheckpointError when
 * the model is not an encoder, and all that `load` throws.
 *
 * @example
 * const embed = await featureExtraction("models/all-MiniLM-L6-v2");
 * const [one, two] = await embed(["a cat sleeps", "a dog barks"], { pooling: "mean", normalize: true });
 * const cosine = one.embedding?.reduce((sum, value, d) => sum + value * (two.embedding?.[d] ?? 0), 0);
 * console.log(cosine);
 */
export const featureExtraction: Opener<FeatureTask> = async (source, options) =>
  (await import("./feature_extraction.js")).featureExtraction(source, options);

/**
 * Opens classification of texts or pairs. Throws CheckpointError without a classifier of sequences, and all that `load`
 * throws.
 *
 * @example
 * const classify = await textClassification("models/distilbert-base-uncased-finetuned-sst-2-english");
 * const { labels } = await classify("It works on the first try.", { top_k: 2 });
 * console.log(labels); // [{ label: "POSITIVE", score }, { label: "NEGATIVE", score }]
 */
export const textClassification: Opener<ClassificationTask> = async (source, options) =>
  (await import("./text_classification.js")).textClassification(source, options);

/**
 * Opens labels for parts of texts. Throws CheckpointError without a classifier of tokens, and all that `load` throws.
 *
 * @example
 * const tag = await tokenClassification("models/bert-pos");
 * const { entities } = await tag("The old boat sails at dawn.", { aggregation_strategy: "first" });
 * console.log(entities.map(({ word, entity }) => `${word}/${entity}`).join(" "));
 */
export const tokenClassification: Opener<TaggingTask> = async (source, options) =>
  (await import("./token_classification.js")).tokenClassification(source, options);

/**
 * Opens speech recognition with Whisper or Moonshine. Throws CheckpointError for a model that hears nothing, and all
 * that `load` throws.
 *
 * @example
 * const transcribe = await speechRecognition("models/moonshine-tiny");
 * const { text } = await transcribe("speech.wav");
 * console.log(text);
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
 *
 * @example
 * const tag = await pipeline("token-classification", "models/bert-pos");
 * const { entities } = await tag("The old boat sails at dawn.");
 * console.log(entities);
 * tag.dispose();
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
 *
 * @example
 * const checkpoint = await openCheckpoint("models/bert-pos");
 * const task = await pipeline(await defaultTask(checkpoint), checkpoint); // "token-classification"
 * task.dispose();
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
