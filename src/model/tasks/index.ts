import { OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { FeatureTask } from "./feature_extraction.js";
import type { MaskTask } from "./fill_mask.js";
import type { AnswerTask } from "./question_answering.js";
import type { SimilarityTask } from "./sentence_similarity.js";
import type { RecognitionTask } from "./speech_recognition.js";
import { languagesIn } from "./task_params.js";
import type { ClassificationTask } from "./text_classification.js";
import type { RankingTask } from "./text_ranking.js";
import type { GenerationTask, TextTask } from "./text_task.js";
import type { TaggingTask } from "./token_classification.js";
import type { ZeroShotTask } from "./zero_shot_classification.js";
import { ALIASES, type Opener, type TaskName, type TaskOf, type Tasks } from "./names.js";

/**
 * Opens text to text with an encoder-decoder. Throws InputError for other models, and all that `load` throws.
 *
 * @example
 * const pronounce = await text2text("models/g2p-en");
 * const [{ generated_text }] = await pronounce("transformer");
 * console.log(generated_text); // T R AE0 N S F AO1 R M ER0
 */
export async function text2text(source: CheckpointLike, options?: LoadOptions, name?: string): Promise<TextTask> {
  return (await import("./generation.js")).text2text(source, options, name);
}

/**
 * Opens translation with an encoder-decoder; its parameters are those of `name`, such as translation_en_to_de, in
 * `task_specific_params` of config.json. Throws as `text2text` does.
 *
 * @example
 * const translate = await translation("models/nllb-200-distilled-600M");
 * const [{ translation_text }] = await translate("Good morning.", { src_lang: "eng_Latn", tgt_lang: "fra_Latn" });
 * console.log(translation_text);
 */
export async function translation(
  source: CheckpointLike,
  options?: LoadOptions,
  name?: string,
): Promise<TextTask<"translation_text">> {
  return (await import("./generation.js")).translation(source, options, name);
}

/**
 * Opens summarization with an encoder-decoder. Throws as `text2text` does.
 *
 * @example
 * const summarize = await summarization("models/bart-large-cnn");
 * const [{ summary_text }] = await summarize("A long text ...", { max_length: 60, num_beams: 4 });
 * console.log(summary_text);
 */
export async function summarization(
  source: CheckpointLike,
  options?: LoadOptions,
  name?: string,
): Promise<TextTask<"summary_text">> {
  return (await import("./generation.js")).summarization(source, options, name);
}

/**
 * Opens continuation of text with a decoder-only model. Throws InputError for other models, and all that `load` throws.
 *
 * @example
 * const generate = await textGeneration("models/gpt2-brown");
 * for await (const { text } of generate.stream("The jury said", { max_new_tokens: 20 })) console.log(text);
 * generate.dispose();
 */
export async function textGeneration(
  source: CheckpointLike,
  options?: LoadOptions,
  name?: string,
): Promise<GenerationTask> {
  return (await import("./generation.js")).textGeneration(source, options, name);
}

/**
 * Opens feature extraction, with the pooling of a sentence-transformers folder by default. Throws CheckpointError when
 * the model has both an encoder and a decoder, and all that `load` throws.
 *
 * @example
 * const embed = await featureExtraction("models/all-MiniLM-L6-v2");
 * const [one, two] = await embed(["a cat sleeps", "a dog barks"], { pooling: "mean", normalize: true });
 * const cosine = one.embedding?.reduce((sum, value, d) => sum + value * (two.embedding?.[d] ?? 0), 0);
 * console.log(cosine);
 */
export async function featureExtraction(source: CheckpointLike, options?: LoadOptions): Promise<FeatureTask> {
  return (await import("./feature_extraction.js")).featureExtraction(source, options);
}

/**
 * Opens classification of texts or pairs. Throws CheckpointError without a classifier of sequences, and all that `load`
 * throws.
 *
 * @example
 * const classify = await textClassification("models/distilbert-base-uncased-finetuned-sst-2-english");
 * const { labels } = await classify("It works on the first try.", { top_k: 2 });
 * console.log(labels); // [{ label: "POSITIVE", score }, { label: "NEGATIVE", score }]
 */
export async function textClassification(source: CheckpointLike, options?: LoadOptions): Promise<ClassificationTask> {
  return (await import("./text_classification.js")).textClassification(source, options);
}

/**
 * Opens labels for parts of texts. Throws CheckpointError without a classifier of tokens, and all that `load` throws.
 *
 * @example
 * const tag = await tokenClassification("models/bert-pos");
 * const { entities } = await tag("The old boat sails at dawn.", { aggregation_strategy: "first" });
 * console.log(entities.map(({ word, entity }) => `${word}/${entity}`).join(" "));
 */
export async function tokenClassification(source: CheckpointLike, options?: LoadOptions): Promise<TaggingTask> {
  return (await import("./token_classification.js")).tokenClassification(source, options);
}

/**
 * Opens speech recognition with Whisper or Moonshine. Throws CheckpointError for a model that hears nothing, and all
 * that `load` throws.
 *
 * @example
 * const transcribe = await speechRecognition("models/moonshine-tiny");
 * const { text } = await transcribe("speech.wav");
 * console.log(text);
 */
export async function speechRecognition(source: CheckpointLike, options?: LoadOptions): Promise<RecognitionTask> {
  return (await import("./speech_recognition.js")).speechRecognition(source, options);
}

/**
 * Opens the filling of masks: tokens for each `mask_token` in a text, as FillMaskPipeline of Transformers finds them. Throws
 * CheckpointError without a head for it or a mask token, and all that `load` throws.
 *
 * @example
 * const fill = await fillMask("models/bert-base-uncased");
 * const [best] = await fill("Paris is the [MASK] of France."); // { score, token, token_str: "capital", sequence }
 */
export async function fillMask(source: CheckpointLike, options?: LoadOptions): Promise<MaskTask> {
  return (await import("./fill_mask.js")).fillMask(source, options);
}

/**
 * Opens answers to questions by parts of a context, as QuestionAnsweringPipeline of Transformers 4 finds them. Throws
 * CheckpointError for other models, and all that `load` throws.
 *
 * @example
 * const ask = await questionAnswering("models/distilbert-base-cased-distilled-squad");
 * const { answer, score } = await ask({ question: "Who wrote it?", context: "Mary Shelley wrote it in 1818." });
 */
export async function questionAnswering(source: CheckpointLike, options?: LoadOptions): Promise<AnswerTask> {
  return (await import("./question_answering.js")).questionAnswering(source, options);
}

/**
 * Opens classification by labels that the call names, with a model of natural language inference. Throws CheckpointError
 * for other models, and all that `load` throws.
 *
 * @example
 * const classify = await zeroShotClassification("models/distilbert-base-uncased-mnli");
 * const { labels, scores } = await classify("My screen is black.", { candidate_labels: ["computers", "cooking"] });
 */
export async function zeroShotClassification(source: CheckpointLike, options?: LoadOptions): Promise<ZeroShotTask> {
  return (await import("./zero_shot_classification.js")).zeroShotClassification(source, options);
}

/**
 * Opens the ranking of documents by a cross-encoder, which reads each together with the query. Throws CheckpointError for
 * other models, and all that `load` throws.
 *
 * @example
 * const rank = await textRanking("models/ms-marco-MiniLM-L6-v2");
 * const [best] = await rank({ query: "How tall is it?", documents: ["It is blue.", "It is 3 m tall."] }); // corpus_id 1
 */
export async function textRanking(source: CheckpointLike, options?: LoadOptions): Promise<RankingTask> {
  return (await import("./text_ranking.js")).textRanking(source, options);
}

/**
 * Opens the comparison of sentences by their vectors. Throws CheckpointError when the model has both an encoder and a
 * decoder, and all that `load` throws.
 *
 * @example
 * const compare = await sentenceSimilarity("models/all-MiniLM-L6-v2");
 * const [first, second] = await compare({ source_sentence: "A dog runs.", sentences: ["A hound sprints.", "It rains."] });
 */
export async function sentenceSimilarity(source: CheckpointLike, options?: LoadOptions): Promise<SimilarityTask> {
  return (await import("./sentence_similarity.js")).sentenceSimilarity(source, options);
}

const TASKS: { readonly [T in keyof Tasks]: Opener<Tasks[T]> } = {
  text2text,
  translation,
  summarization,
  "text-generation": textGeneration,
  "feature-extraction": featureExtraction,
  "text-classification": textClassification,
  "token-classification": tokenClassification,
  "automatic-speech-recognition": speechRecognition,
  "fill-mask": fillMask,
  "question-answering": questionAnswering,
  "zero-shot-classification": zeroShotClassification,
  "text-ranking": textRanking,
  "sentence-similarity": sentenceSimilarity,
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
  const named = Object.hasOwn(ALIASES, task) ? ALIASES[task as keyof typeof ALIASES] : task;
  const kind = languagesIn(named) ? "translation" : named;
  if (!Object.hasOwn(TASKS, kind))
    throw new OptionError(
      `pipeline: task must be one of ${[...Object.keys(TASKS), ...Object.keys(ALIASES)].join(", ")}, or translation_XX_to_YY, got ${show(task)}`,
    );
  const open: Opener<Tasks[keyof Tasks]> = TASKS[kind as keyof Tasks];
  return (await open(source, options, task)) as TaskOf<N>;
}

/**
 * The task that a checkpoint is for: the only one of `task_specific_params` in config.json if it is one of ours, or else
 * that of its head, of a sentence-transformers folder, or of its architecture. Throws CheckpointError for a family that
 * is not supported.
 *
 * @example
 * const checkpoint = await openCheckpoint("models/bert-pos");
 * const task = await pipeline(await defaultTask(checkpoint), checkpoint); // "token-classification"
 * task.dispose();
 */
export async function defaultTask(checkpoint: Checkpoint): Promise<keyof Tasks> {
  return (await import("./default_task.js")).defaultTask(checkpoint);
}
