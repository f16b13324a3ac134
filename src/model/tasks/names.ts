import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { FeatureTask } from "./feature_extraction.js";
import type { MaskTask } from "./fill_mask.js";
import type { AnswerTask } from "./question_answering.js";
import type { SimilarityTask } from "./sentence_similarity.js";
import type { RecognitionTask } from "./speech_recognition.js";
import type { ClassificationTask } from "./text_classification.js";
import type { RankingTask } from "./text_ranking.js";
import type { GenerationTask, TextTask } from "./text_task.js";
import type { TaggingTask } from "./token_classification.js";
import type { ZeroShotTask } from "./zero_shot_classification.js";

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
  readonly "fill-mask": MaskTask;
  readonly "question-answering": AnswerTask;
  readonly "zero-shot-classification": ZeroShotTask;
  readonly "text-ranking": RankingTask;
  readonly "sentence-similarity": SimilarityTask;
}

/** Other names that tasks have on the Hub and in Transformers. */
export const ALIASES = {
  "text2text-generation": "text2text",
  "sentiment-analysis": "text-classification",
  ner: "token-classification",
  asr: "automatic-speech-recognition",
  embeddings: "feature-extraction",
} as const;

/** The name of a task, here or on the Hub. */
export type TaskName = keyof Tasks | keyof typeof ALIASES | `translation_${string}_to_${string}`;

/** The task of a name. */
export type TaskOf<N extends TaskName> = N extends keyof Tasks
  ? Tasks[N]
  : N extends keyof typeof ALIASES
    ? Tasks[(typeof ALIASES)[N]]
    : Tasks["translation"];

/** Opens a task; `name` is what the caller and config.json call it. */
export type Opener<T> = (source: CheckpointLike, options?: LoadOptions, name?: string) => Promise<T>;
