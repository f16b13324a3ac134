import type { CheckpointLike, Json } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import {
  type EncoderTask,
  type EncodingOptions,
  openEncoderTask,
  probabilities,
  type Reading,
  readingOf,
  type TaskKind,
  type TextInput,
  textsOf,
} from "./encoder_task.js";
import { CLASSIFICATION_RULES } from "./option_rules.js";

/** Options of text classification. */
export interface ClassificationOptions extends EncodingOptions {
  /** How many labels to return, best first; null means all. Default 1. */
  readonly top_k?: number | null;
  /**
   * What turns logits into scores. Default: as config.json says; else sigmoid for independent labels or a single one,
   * and softmax for all others.
   */
  readonly function_to_apply?: "softmax" | "sigmoid" | "none";
}

/** The labels of a text, best first. */
export interface Classification extends Reading {
  /** The best labels and their scores, best first. */
  readonly labels: readonly { readonly label: string; readonly score: number }[];
}

/** Text classification on one checkpoint. */
export type ClassificationTask = EncoderTask<TextInput, ClassificationOptions, Classification>;

/**
 * Opens classification of texts or pairs. Throws CheckpointError without a classifier of sequences, and all that `load`
 * throws.
 */
export function textClassification(source: CheckpointLike, options: LoadOptions = {}): Promise<ClassificationTask> {
  return openEncoderTask(SENTENCES, source, options, ({ architecture: { head }, checkpoint: { config } }) => ({
    options: CLASSIFICATION_RULES,
    truncation: true,
    read: (input: TextInput, _, encode) => [{ encoding: encode(textsOf(input)) }],
    wanted: () => ({ logits: true }),
    result([{ encoding, results }], _, options): Classification {
      const { logits } = results;
      const { top_k = 1, function_to_apply = functionOf(config, logits.length) } = options;
      const scores = function_to_apply === "none" ? Array.from(logits) : probabilities(logits, function_to_apply);
      const labels = scores.map((score, id) => ({ label: head?.labels[id] ?? String(id), score }));
      labels.sort((a, b) => b.score - a.score);
      return { labels: labels.slice(0, top_k ?? labels.length), ...readingOf(encoding) };
    },
  }));
}

const SENTENCES: TaskKind = {
  name: "text-classification",
  needs: "a classifier of sequences",
  takes: ({ head }) => head?.classifier === "sentence",
};

/** The default function, as TextClassificationPipeline of Transformers chooses it. */
function functionOf({ problem_type, function_to_apply }: Json, labels: number): "softmax" | "sigmoid" | "none" {
  if (CLASSIFICATION_RULES.function_to_apply.holds(function_to_apply)) return function_to_apply as "softmax";
  if (problem_type === "regression") return "none";
  return problem_type === "multi_label_classification" || labels === 1 ? "sigmoid" : "softmax";
}
