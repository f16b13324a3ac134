import { CheckpointError } from "../../runtime/errors.js";
import type { Head } from "../graph/architecture.js";
import type { Json } from "../checkpoint/checkpoint.js";

/** What an encoder checkpoint was saved with, by the name that Transformers gives its class. */
export type HeadKind = "none" | "token-classification" | "sequence-classification";

const CLASSES: readonly (readonly [suffix: RegExp, kind: HeadKind])[] = [
  [/ForTokenClassification$/, "token-classification"],
  [/ForSequenceClassification$/, "sequence-classification"],
  [/Model$|ForMaskedLM$|ForPreTraining$/, "none"], // heads of training: the encoder alone is of use
];

/** The kind of head that `architectures` of config.json names, none without it. Throws CheckpointError for one we do not have. */
export function headKind(config: Json): HeadKind {
  const [name] = (config.architectures as unknown[] | undefined) ?? [];
  if (name === undefined) return "none";
  const found = CLASSES.find(([suffix]) => suffix.test(String(name)));
  if (!found) {
    throw new CheckpointError(
      `config.json: architectures must be an encoder, ForTokenClassification or ForSequenceClassification, got ${JSON.stringify(name)}`,
    );
  }
  return found[1];
}

/** Names of the classes in the order of their ids: `id2label`, else `num_labels` numbered ones (two when absent, as in Transformers). */
export function labelsOf(config: Json): string[] {
  const names = config.id2label as Readonly<Record<string, string>> | undefined;
  if (!names) return Array.from({ length: Number(config.num_labels ?? 2) }, (_, id) => `LABEL_${id}`);
  return Object.keys(names).map((_, id) => {
    if (typeof names[id] !== "string")
      throw new CheckpointError(
        `config.json: id2label must name the ids 0 to ${Object.keys(names).length - 1}, has no ${id}`,
      );
    return names[id];
  });
}

/** The head over tokens or sentences; `pooler` is the activation of its dense layer over the first state. */
export function classifierHead(kind: HeadKind, config: Json, pooler: Head["pooler"]): Head | undefined {
  if (kind === "token-classification") return { classifier: "tokens", labels: labelsOf(config) };
  if (kind === "sequence-classification") return { classifier: "sentence", pooler, labels: labelsOf(config) };
  return undefined;
}
