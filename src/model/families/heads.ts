import type { Activation } from "../../kernels/activation.js";
import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Head } from "../graph/architecture.js";
import { type Entries, linearRows, normRows, tableRow } from "./family.js";

/** What a family calls the parts of its heads, and how these activate. */
export interface HeadForms {
  /** Of a classifier of sentences: the dense layer, if there is one, and the projection to labels. */
  readonly sentence: readonly [dense: string | undefined, labels: string];
  /** Activation of that dense layer. */
  readonly pooler?: Activation;
  /** Whether the last state stands for a sentence; the projection to labels of a decoder then has no bias. */
  readonly last?: boolean;
  /** Of what fills masks: the dense layer, its norm, the projection to the vocabulary, and the bias of this. */
  readonly masks?: readonly [dense: string, norm: string, logits: string, bias: string];
}

/** The classifier that a model was saved with, by the class of Transformers that saved it. */
const CLASSES: readonly (readonly [suffix: RegExp, classifier: Head["classifier"]])[] = [
  [/ForTokenClassification$/, "tokens"],
  [/ForQuestionAnswering$/, "spans"],
  [/ForSequenceClassification$/, "sentence"],
  // Heads for training and for other tasks are not used.
  [/Model$|ForMaskedLM$|ForPreTraining$|ForMultipleChoice$|ForNextSentencePrediction$/, undefined],
];

const FILLS = /For(MaskedLM|PreTraining)$/;

/** The name of the class of Transformers that saved a model; undefined when config.json has none. Throws CheckpointError. */
export function classOf({ architectures }: Json): string | undefined {
  if (architectures === undefined || architectures === null) return undefined;
  if (!Array.isArray(architectures))
    throw new CheckpointError(`config.json: architectures must be a list of names, got ${show(architectures)}`);
  const [name] = architectures as unknown[];
  return name === undefined ? undefined : String(name);
}

/**
 * The head of an encoder: the classifier that `architectures` in config.json names, or else what fills masks, with the
 * activation `masks` of its dense layer, and a pooler, as far as they are stored; undefined without any. Throws
 * CheckpointError for a class that is not supported.
 */
export function encoderHead(config: Json, entries: Entries, forms: HeadForms, masks: Activation): Head | undefined {
  const name = classOf(config);
  const found = name === undefined ? [] : CLASSES.find(([suffix]) => suffix.test(name));
  if (!found) {
    throw new CheckpointError(
      `config.json: architectures must be an encoder, ForMaskedLM, ForQuestionAnswering, ForTokenClassification or ForSequenceClassification, got ${show(name)}`,
    );
  }
  const [, classifier] = found;
  if (classifier) return classifierHead(config, entries, forms, classifier);
  const has = (layer: string | undefined): boolean => entries.has(`${layer}.weight`);
  const head = {
    ...(has(POOLER) && { pooler: "tanh" as const }),
    ...(FILLS.test(name ?? "") && has(forms.masks?.[0]) && { masks }),
  };
  return Object.keys(head).length ? { ...head, labels: [] } : undefined;
}

const POOLER = "pooler.dense";

/** What decoder-only models have. */
export const DECODER_HEADS: HeadForms = { sentence: [undefined, "score"], last: true };

/**
 * The head of a decoder-only model: a classifier of sentences, or nothing but states; undefined where it has logits of
 * next tokens, which may be `tied` to the token table.
 */
export function decoderHead(config: Json, entries: Entries, tied: boolean): Head | undefined {
  const name = classOf(config) ?? "";
  if (name.endsWith("ForSequenceClassification")) {
    const { pad_token_id: pad } = config;
    const head = classifierHead(config, entries, DECODER_HEADS, "sentence");
    return { ...head, ...(typeof pad === "number" && { pad }) };
  }
  const bare = isBare(name) && !tied && !entries.has("lm_head.weight");
  return bare ? { last: true, labels: [] } : undefined;
}

/** Whether a class of Transformers gives states alone. */
export const isBare = (name: string): boolean => name.endsWith("Model") && !name.endsWith("LMHeadModel");

/** The classifier of a model. Throws CheckpointError for labels that do not fit it. */
export function classifierHead(
  config: Json,
  entries: Entries,
  { sentence: [, labels], pooler, last }: HeadForms,
  classifier: NonNullable<Head["classifier"]>,
): Head {
  if (classifier === "spans") return { classifier, labels: ["start", "end"] };
  const rows = entries.get(`${classifier === "sentence" ? labels : "classifier"}.weight`)?.shape[0];
  const form = { ...(pooler && { pooler }), ...(last && { last }) };
  return { classifier, labels: labelsOf(config, rows), ...(classifier === "sentence" && form) };
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

/** The weight rows of a head on states of width D. `tokens` is the token table, to which the logits of masks may be tied. */
export function headRows(
  { classifier, pooler, last, masks, labels }: Head,
  forms: HeadForms,
  [V, D]: readonly [V: number, D: number],
  entries: Entries,
  tokens = "",
): WeightRow[] {
  const [dense, projection] = classifier === "sentence" ? forms.sentence : [POOLER, "classifier"];
  const name = classifier === "spans" ? "qa_outputs" : projection;
  const [inner, norm, logits, bias] = forms.masks ?? [];
  return [
    ...(pooler && dense ? linearRows("pooler", [dense], D, D) : []),
    ...(classifier ? linearRows("classifier", [name], labels.length, D, { bias: !last || pooler !== undefined }) : []),
    ...(masks && inner && norm && logits && bias
      ? [
          ...linearRows("masks.dense", [inner], D, D),
          ...normRows("masks.norm", norm, D),
          tableRow("lm_head", entries.has(`${logits}.weight`) ? logits : tokens, [V, D], {}),
          { ours: "lm_head.bias", theirs: [bias], shape: [V] },
        ]
      : []),
  ];
}

/** The tensors of what fills masks that are one and the same, by config.json: its projection and the token table, its biases. */
export function maskTies(config: Json, { masks }: HeadForms, tokens: string): string[][] {
  if (!masks) return [];
  const [, , logits, bias] = masks;
  const table = readConfig(config).flag("tie_word_embeddings", true) ? [[`${tokens}.weight`, `${logits}.weight`]] : [];
  return bias === `${logits}.bias` ? table : [...table, [bias, `${logits}.bias`]];
}
