import { OptionError, type Tasks } from "../index.js";
import { SPEECH_OPTIONS, SPEECH_RULES } from "../model/speech/options.js";
import { ALIASES } from "../model/tasks/names.js";
import {
  ANSWER_RULES,
  CLASSIFICATION_RULES,
  ENCODING_RULES,
  FEATURE_RULES,
  MASK_RULES,
  RANKING_RULES,
  TAGGING_RULES,
  TEXT_RULES,
  ZERO_SHOT_RULES,
} from "../model/tasks/option_rules.js";
import { nearest, type Rule } from "../runtime/checks.js";
import type { Options, OptionTable } from "./arguments.js";
import { GENERATION, orNull, table, union } from "./options.js";
import type { Sections } from "./verb.js";

const { batch_size: _, ...rules } = TEXT_RULES;
const TEXT: Sections = { Texts: table(rules, "DirectionOptions", "TextOptions", "ChatTemplateOptions"), ...GENERATION };

const heard = (options: OptionTable): OptionTable =>
  Object.fromEntries(
    Object.entries(options).filter(([name]) => SPEECH_OPTIONS.includes(name) && !Object.hasOwn(SPEECH_RULES, name)),
  );
const nullable = Object.fromEntries(Object.entries(SPEECH_RULES).map(([name, rule]) => [name, orNull(rule)]));
const SPEECH: Sections = {
  Transcripts: table(nullable, "SpeechOptions"),
  ...Object.fromEntries(Object.entries(GENERATION).map(([title, options]) => [title, heard(options)])),
};

const ENCODING = table(ENCODING_RULES, "EncodeHooks", "EncodingOptions");
const VECTORS = { Vectors: table(FEATURE_RULES, "EmbeddingOptions"), Texts: ENCODING };
const { batch_tokens } = ENCODING_RULES;

/** The options of each task, in sections. */
export const TASK_OPTIONS: { readonly [T in keyof Tasks]: Sections } = {
  "text-generation": TEXT,
  text2text: TEXT,
  translation: TEXT,
  summarization: TEXT,
  "automatic-speech-recognition": SPEECH,
  "feature-extraction": VECTORS,
  "sentence-similarity": VECTORS,
  "fill-mask": { Masks: table(MASK_RULES, "MaskOptions"), Texts: ENCODING },
  "question-answering": { Answers: table({ ...ANSWER_RULES, batch_tokens }, "EncodeHooks", "AnswerOptions") },
  "zero-shot-classification": { Labels: table(ZERO_SHOT_RULES, "ZeroShotOptions"), Texts: ENCODING },
  "text-ranking": { Ranking: table(RANKING_RULES, "RankingOptions"), Texts: ENCODING },
  "token-classification": { Labels: table(TAGGING_RULES, "TaggingOptions"), Texts: ENCODING },
  "text-classification": { Labels: table(CLASSIFICATION_RULES, "ClassificationOptions"), Texts: ENCODING },
};

/** The rule of names of tasks; models of speech have tasks of their own. */
export const TASK_RULE: Rule = {
  words: `one of ${Object.keys(TASK_OPTIONS).join(", ")}, translation_XX_to_YY`,
  holds: (value) => typeof value === "string" && kindOf(value) !== undefined,
};

/** The task that a name stands for. */
export function kindOf(name: string): keyof Tasks | undefined {
  if (Object.hasOwn(TASK_OPTIONS, name)) return name as keyof Tasks;
  if (/^translation_.+_to_.+$/.test(name)) return "translation";
  return Object.hasOwn(ALIASES, name) ? ALIASES[name as keyof typeof ALIASES] : undefined;
}

/** Throws OptionError for options that a task has not, or that it has with other values. */
export function checkTaskOptions(kind: keyof Tasks, options: Options): void {
  const own = union(Object.values(TASK_OPTIONS[kind]));
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(own, name)) {
      const near = nearest(name, Object.keys(own));
      const cure = near ? `did you mean --${near}?` : "leave it out, or choose another --task";
      throw new OptionError(`run: --${name} is no option of ${kind}; ${cure}`);
    }
    const { words, holds } = own[name].rule;
    if (!holds(value))
      throw new OptionError(`run: --${name} of ${kind} must be ${words}, got ${JSON.stringify(value)}`);
  }
}
