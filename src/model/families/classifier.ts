import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Head } from "../graph/architecture.js";
import { linearRows } from "./family.js";

/** The classifier that an encoder was saved with, by the class of Transformers that saved it. */
const CLASSES: readonly (readonly [suffix: RegExp, classifier: Head["classifier"]])[] = [
  [/ForTokenClassification$/, "tokens"],
  [/ForSequenceClassification$/, "sentence"],
  [/Model$|ForMaskedLM$|ForPreTraining$/, undefined], // heads for training are not used
];

/**
 * The classifier that `architectures` in config.json names; undefined without one. `pooler` is the activation of the
 * dense layer between the first state and a classifier of sentences. Throws CheckpointError for a class that is not
 * supported.
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

/** Names of the labels by id: `id2label`, or `num_labels` numbered ones (two by default, as in Transformers). */
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
 * The weight rows of a head. `dense` and `labels` are the names of its pooler and of its projection to labels in the
 * checkpoint.
 */
export function headRows(head: Head | undefined, dense: string, labels: string, D: number): WeightRow[] {
  return [
    ...(head?.pooler ? linearRows("pooler", [dense], D, D) : []),
    ...(head?.classifier ? linearRows("classifier", [labels], head.labels.length, D) : []),
  ];
}
