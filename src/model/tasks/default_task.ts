import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import type { Architecture } from "../graph/architecture.js";
import type { Tasks } from "./index.js";
import { onlyTask } from "./task_params.js";

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
  const { describeCheckpoint } = await import("../families/index.js");
  const { config } = checkpoint;
  const { family, encoder, decoder, head } = (await describeCheckpoint(checkpoint)).architecture;
  if (decoder && encoder?.stem) return "automatic-speech-recognition";
  if (head?.classifier) return taskOfClassifier(head, config);
  if (decoder && encoder) return onlyTask(config) ?? (family === "m2m_100" ? "translation" : "text2text");
  if ((decoder && head) || (await checkpoint.list("modules.json"))) return "feature-extraction";
  if (decoder) return "text-generation";
  return head?.masks ? "fill-mask" : "feature-extraction";
}

function taskOfClassifier({ classifier, labels }: NonNullable<Architecture["head"]>, config: Json): keyof Tasks {
  if (classifier === "tokens") return "token-classification";
  if (classifier === "spans") return "question-answering";
  if (entailmentOf(labels) !== undefined) return "zero-shot-classification";
  const ranks = labels.length === 1 && (CROSS_ENCODER in config || "sentence_transformers" in config);
  return ranks ? "text-ranking" : "text-classification";
}

/** What sentence-transformers wrote into config.json of a cross-encoder before its version 4. */
export const CROSS_ENCODER = "sbert_ce_default_activation_function";

/** The id of the label that says that a text entails another; undefined without one. */
export function entailmentOf(labels: readonly string[]): number | undefined {
  const id = labels.findIndex((label) => label.toLowerCase().startsWith("entail"));
  return id < 0 ? undefined : id;
}
