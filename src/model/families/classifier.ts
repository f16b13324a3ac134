import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Head } from "../graph/architecture.js";
import { type Entries, linearRows } from "./family.js";

/** The classifier that an encoder was saved with, by the class of Transformers that saved it. */
const CLASSES: readonly (readonly [suffix: RegExp, classifier: Head["classifier"]])[] = [
  [/ForTokenClassification$/, "tokens"],
  [/ForSequenceClassification$/, "sentence"],
  // Heads for training and for other tasks are not used.
  [
    /Model$|ForMaskedLM$|ForPreTraining$|ForQuestionAnswering$|ForMultipleChoice$|ForNextSentencePrediction$/,
    undefined,
  ],
];

/**
 * The classifier that `architectures` in config.json names; undefined without one. `pooler` is the activation of the
 * dense layer between the first state and a classifier of sentences, `sentence` the name of the latter's projection to
 * labels. Throws CheckpointError for a class that is not supported.
 */
export function classifierOf(
  config: Json,
  pooler: Head["pooler"],
  entries: Entries,
  sentence = "classifier",
): Head | undefined {
  const { architectures } = config;
  if (architectures === undefined || architectures === null) return undefined;
  if (!Array.isArray(architectures))
    throw new CheckpointError(`config.json: architectures must be a list of names, got ${show(architectures)}`);
  const [name] = architectures as unknown[];
  if (name === undefined) return undefined;
  const found = CLASSES.find(([suffix]) => suffix.test(String(name)));
  if (!found) {
    throw new CheckpointError(
      `config.json: architectures must be an encoder, ForTokenClassification or ForSequenceClassification, got ${show(name)}`,
    );
  }
  const [, classifier] = found;
  if (!classifier) return undefined;
  const rows = entries.get(`${classifier === "sentence" ? sentence : "classifier"}.weight`)?.shape[0];
  return { classifier, labels: labelsOf(config, rows), ...(classifier === "sentence" && { pooler }) };
}

/**
 * Names of the labels by id: `id2label`, or else numbered ones, as many as the classifier has rows. Without a
 * classifier, which is told later, `num_labels` or two.
 */
function labelsOf(config: Json, rows = 2): string[] {
  const { id2label } = config;
  if (id2label === undefined || id2label === null) {
    const { count, refuse } = readConfig(config);
    if (count("num_labels", rows) !== rows) throw refuse("num_labels", `${rows}, as the classifier has rows`);
    return Array.from({ length: rows }, (_, id) => `LABEL_${id}`);
  }
  const names = (typeof id2label === "object" ? id2label : {}) as Readonly<Record<string, unknown>>;
  const ids = Object.keys(names);
  if (!ids.length) throw new CheckpointError(`config.json: id2label must name every label, got ${show(id2label)}`);
  return ids.map((_, id) => {
    const label = names[id];
    if (label === undefined)
      throw new CheckpointError(`config.json: id2label must name the ids 0 to ${ids.length - 1}, has no ${id}`);
    if (typeof label !== "string")
      throw new CheckpointError(`config.json: id2label must give a text for each id, got ${show(label)} for ${id}`);
    return label;
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
