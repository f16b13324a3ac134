import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Head } from "../graph/architecture.js";
import { linearRows } from "./family.js";

/** What an encoder checkpoint was saved with, by the name that Transformers gives its class. */
const CLASSES: readonly (readonly [suffix: RegExp, classifier: Head["classifier"]])[] = [
  [/ForTokenClassification$/, "tokens"],
  [/ForSequenceClassification$/, "sentence"],
  [/Model$|ForMaskedLM$|ForPreTraining$/, undefined], // heads of training: the encoder alone is of use
];

/**
 * The classifier that `architectures` of config.json names, nothing without one. `pooler` is the activation of the
 * dense layer that a classifier of sentences has over the first state. Throws CheckpointError for a class we do not
 * have.
 */
export function classifierOf(config: Json, pooler: Head["pooler"]): Head | undefined {
  const [name] = (config.architectures as unknown[] | undefined) ?? [];
  if (name === undefined) return undefined;
  const found = CLASSES.find(([suffix]) => suffix.test(String(name)));
  if (!found) {
    throw new CheckpointError(
      `config.json: architectures must be an encoder, ForTokenClassification or ForSequenceClassification, got ${JSON.stringify(name)}`,
    );
  }
  const [, classifier] = found;
  if (!classifier) return undefined;
  return { classifier, labels: labelsOf(config), ...(classifier === "sentence" && { pooler }) };
}

/**
 * Names of the labels in the order of their ids: `id2label`, else `num_labels` numbered ones (two when absent, as in
 * Transformers).
 */
function labelsOf(config: Json): string[] {
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

/**
 * The rows of a head whose layers the checkpoint calls `dense` (the pooler's) and `labels` (the projection to labels).
 */
export function headRows(head: Head | undefined, dense: string, labels: string, D: number): WeightRow[] {
  return [
    ...(head?.pooler ? linearRows("pooler", [dense], D, D) : []),
    ...(head?.classifier ? linearRows("classifier", [labels], head.labels.length, D) : []),
  ];
}
