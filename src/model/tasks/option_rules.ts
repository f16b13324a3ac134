import { POOLING } from "../../kernels/pooling.js";
import { CALLBACK, FLAG, oneOf, type Rule, SIGNAL, wholeNumber } from "../../runtime/checks.js";

/** Rules of options by their names. */
export type Rules = Readonly<Record<string, Rule>>;

const isText = (value: unknown): boolean => typeof value === "string";
const isList = (value: unknown, holds: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && Array.from<unknown>(value).every(holds);
const isIds = (value: unknown): boolean => isList(value, Number.isInteger);
const isBeginning = (value: unknown): boolean => isText(value) || isIds(value);

const TEXT: Rule = { words: "a text", holds: isText };
const LANGUAGE: Rule = {
  words: "a language, or a list of one for each text",
  holds: (value) => isText(value) || isList(value, isText),
};
const BEGINNING: Rule = {
  words: "a text or token ids, or a list of such for each text",
  holds: (value) => isBeginning(value) || isList(value, isBeginning),
};
const TEXT_OR_TEXTS: Rule = {
  words: "a text or a list of texts",
  holds: (value) => isText(value) || isList(value, isText),
};
const LABELS: Rule = { words: "a list of labels", holds: (value) => isList(value, isText) };
const COUNT_OR_ALL: Rule = {
  words: "a whole number of at least 1 or null",
  holds: (value) => value === null || wholeNumber(1).holds(value),
};
const NAME_OR_NONE: Rule = {
  words: "the name of a prompt, or null",
  holds: (value) => value === null || isText(value),
};

/** Hooks of a call, which no command line and no file can give. */
export const HOOKS: Rules = { signal: SIGNAL, progress: CALLBACK };

/** Options of all tasks on encoders; a model says how long `max_length` may be. */
export const ENCODING_RULES: Rules = { batch_tokens: wholeNumber(1), truncation: FLAG, max_length: wholeNumber(1) };

/** Options of feature extraction alone; a checkpoint says which prompts it has, and how long its vectors are. */
export const FEATURE_RULES: Rules = {
  pooling: oneOf(...Object.keys(POOLING), "none"),
  normalize: FLAG,
  truncate_dim: wholeNumber(1),
  prompt_name: NAME_OR_NONE,
  prompt: TEXT,
};

/** Options of token classification alone. */
export const TAGGING_RULES: Rules = {
  aggregation_strategy: oneOf("none", "first", "average", "max"),
  ignore_labels: LABELS,
};

/** Options of text classification alone. */
export const CLASSIFICATION_RULES: Rules = {
  top_k: COUNT_OR_ALL,
  function_to_apply: oneOf("softmax", "sigmoid", "none"),
};

/** Options of fill-mask alone. */
export const MASK_RULES: Rules = { top_k: wholeNumber(1), targets: TEXT_OR_TEXTS };

/** Options of zero-shot classification alone. */
export const ZERO_SHOT_RULES: Rules = {
  candidate_labels: TEXT_OR_TEXTS,
  hypothesis_template: TEXT,
  multi_label: FLAG,
};

/** Options of text ranking alone. */
export const RANKING_RULES: Rules = {
  top_k: COUNT_OR_ALL,
  return_documents: FLAG,
  function_to_apply: oneOf("sigmoid", "none"),
};

/** Options of question answering alone. */
export const ANSWER_RULES: Rules = {
  top_k: wholeNumber(1),
  max_seq_len: wholeNumber(1),
  doc_stride: wholeNumber(0),
  max_answer_len: wholeNumber(1),
  handle_impossible_answer: FLAG,
  align_to_words: FLAG,
};

/** Options of text generation, besides those of `generate()` and those about conversations (`CHAT_RULES`). */
export const TEXT_RULES: Rules = {
  batch_size: wholeNumber(1),
  allow_unknown: FLAG,
  return_full_text: FLAG,
  return_alignments: FLAG,
  clean_up_tokenization_spaces: FLAG,
  truncation: FLAG,
  tgt_lang: LANGUAGE,
  src_lang: LANGUAGE,
  prefix: TEXT,
  target_prefix: BEGINNING,
};
