import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import { describeCheckpoint } from "../families/index.js";
import type { Architecture } from "../graph/architecture.js";
import type { Tasks } from "./names.js";
import { onlyTask } from "./task_params.js";

/** What the public `defaultTask` does. */
export async function defaultTask(checkpoint: Checkpoint): Promise<keyof Tasks> {
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
