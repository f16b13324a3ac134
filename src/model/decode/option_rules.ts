import { OptionError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { GenerateOptions } from "./options.js";

export const MAX_BEAMS = 32;

type Rule = readonly [test: (value: unknown, V: number) => boolean, says: (V: number) => string];

const COUNT = 2 ** 31; // no count is larger
const whole = (least: number, most = COUNT): Rule => [
  (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  () => (most !== COUNT ? `a whole number from ${least} to ${most}` : `a whole number of at least ${least}`),
];
const isId = (value: unknown, V: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < V;
const isIds = (value: unknown, V: number): boolean => Array.isArray(value) && value.every((id) => isId(id, V));
const id: Rule = [isId, (V) => `a token id from 0 to ${V - 1}`];
const ids: Rule = [isIds, (V) => `a list of token ids from 0 to ${V - 1}`];
const flag: Rule = [(value) => typeof value === "boolean", () => "true or false"];
const number: Rule = [(value) => typeof value === "number" && Number.isFinite(value), () => "a finite number"];
const positive: Rule = [
  (value) => typeof value === "number" && value > 0 && value < 1e6,
  () => "a number above 0 and below 1e6",
];
const fraction = (least: string, holds: (value: number) => boolean): Rule => [
  (value) => typeof value === "number" && holds(value) && value <= 1,
  () => `a number ${least} and at most 1`,
];

const RULES: Readonly<Record<keyof GenerateOptions, Rule>> = {
  num_beams: whole(1, MAX_BEAMS),
  num_beam_groups: whole(1, MAX_BEAMS),
  diversity_penalty: [
    (value) => typeof value === "number" && value >= 0 && value < 1e6,
    () => "a number of at least 0 and below 1e6",
  ],
  num_return_sequences: whole(1, MAX_BEAMS),
  length_penalty: number,
  early_stopping: [(value) => typeof value === "boolean" || value === "never", () => 'true, false or "never"'],
  max_length: whole(1),
  max_new_tokens: whole(1),
  min_length: whole(0),
  min_new_tokens: whole(0),
  repetition_penalty: positive,
  presence_penalty: number,
  no_repeat_ngram_size: whole(0),
  bad_words_ids: [
    (value, V) => Array.isArray(value) && value.every((words) => isIds(words, V) && words.length > 0),
    (V) => `a list of non-empty lists of token ids from 0 to ${V - 1}`,
  ],
  suppress_tokens: ids,
  begin_suppress_tokens: ids,
  forced_bos_token_id: id,
  forced_eos_token_id: id,
  eos_token_id: [
    (value, V) => isId(value, V) || (isIds(value, V) && (value as []).length > 0),
    (V) => `a token id from 0 to ${V - 1}, or a list of them`,
  ],
  pad_token_id: id,
  decoder_start_token_id: id,
  renormalize_logits: flag,
  do_sample: flag,
  temperature: positive,
  top_k: whole(0),
  top_p: fraction("above 0", (value) => value > 0),
  min_p: fraction("of at least 0", (value) => value >= 0),
  seed: whole(0, 2 ** 32 - 1),
  output_scores: flag,
  stop_strings: [
    (value) => [value].flat().every((text) => typeof text === "string" && text !== ""),
    () => "a text or a list of texts, none empty",
  ],
  logits_processor: [(value) => typeof value === "function", () => "a function of ids and scores"],
};

// Fields of generation_config.json that change nothing here, and values of others that mean "off".
const INERT = /^(_from_model_config|transformers_version|use_cache|bos_token_id|return_dict_in_generate)$/;
const OFF: Readonly<Record<string, unknown>> = {
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  remove_invalid_values: false,
  output_attentions: false,
  output_hidden_states: false,
  output_logits: false,
};

const isOff = (key: string, value: unknown): boolean => INERT.test(key) || OFF[key] === value;

/** The options of a call, each within its range. Throws OptionError naming it. */
export const checkCall = (given: Json, V: number): GenerateOptions => checked("generate", given, V, () => false);

/** The options of generation_config.json, those that mean "off" left out. Throws OptionError naming the file. */
export const checkDefaults = (given: Json, V: number): GenerateOptions =>
  checked("generation_config.json", given, V, isOff);

function checked(
  label: string,
  given: Json,
  V: number,
  inert: (key: string, value: unknown) => boolean,
): GenerateOptions {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || inert(key, value)) continue;
    if (!Object.hasOwn(RULES, key))
      throw new OptionError(`${label}: ${key} is not supported; supported are ${Object.keys(RULES).join(", ")}`);
    const [holds, says] = RULES[key as keyof GenerateOptions];
    if (!holds(value, V)) throw new OptionError(`${label}: ${key} must be ${says(V)}, got ${show(value)}`);
    kept[key] = value;
  }
  return kept;
}
