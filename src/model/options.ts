import { EARLY_STOPPING } from "../kernels/beam_step.js";
import { OptionError, show } from "../runtime/errors.js";
import type { Json } from "./checkpoint.js";

/** Options of `generate()`, named and meant as in Transformers' generation_config.json; the call's win over the checkpoint's. */
export interface GenerateOptions {
  /** Beams a sentence, 1 to 32; 1 is greedy search. Default 1. */
  readonly num_beams?: number;
  /** Beams in groups that avoid one another's tokens (diverse beam search, Vijayakumar et al. 2016); divides num_beams. Default 1. */
  readonly num_beam_groups?: number;
  /** Taken off a token's log-probability for every beam of an earlier group that chose it at the same step. Default 0. */
  readonly diversity_penalty?: number;
  /** Hypotheses returned a sentence, best first, at most num_beams. Default 1. */
  readonly num_return_sequences?: number;
  /** Beam scores are log-probability / generated length ^ length_penalty. Default 1. */
  readonly length_penalty?: number;
  /** Stop a sentence: true, at num_beams hypotheses; false, when no beam is likely to do better; "never", when none can. Default false. */
  readonly early_stopping?: boolean | "never";
  /** Most tokens of a result, the start token counted. Default 20. */
  readonly max_length?: number;
  /** Most tokens generated; wins over max_length. */
  readonly max_new_tokens?: number;
  readonly min_length?: number;
  readonly min_new_tokens?: number;
  readonly repetition_penalty?: number;
  /** Subtracted from the score of every token that the row has. Default 0. */
  readonly presence_penalty?: number;
  readonly no_repeat_ngram_size?: number;
  readonly bad_words_ids?: readonly (readonly number[])[];
  readonly suppress_tokens?: readonly number[];
  readonly begin_suppress_tokens?: readonly number[];
  readonly forced_bos_token_id?: number;
  readonly forced_eos_token_id?: number;
  readonly eos_token_id?: number | readonly number[];
  readonly pad_token_id?: number;
  readonly decoder_start_token_id?: number;
  /** Normalise log-probabilities again after the rules above. Default false. */
  readonly renormalize_logits?: boolean;
  /** Draw tokens instead of taking the best. Default false. */
  readonly do_sample?: boolean;
  /** Divides the logits before sampling. Default 1. */
  readonly temperature?: number;
  /** Sample among this many best tokens; 0 is all. Default 50. */
  readonly top_k?: number;
  /** Sample among the best tokens whose probabilities sum to this. Default 1. */
  readonly top_p?: number;
  /** Sample among tokens at least this fraction as probable as the best. Default 0. */
  readonly min_p?: number;
  /** The same seed draws the same tokens on every runtime. Drawn anew for each call when absent. */
  readonly seed?: number;
  /** Return the log-probability of each generated token, after the rules above. Default false. */
  readonly output_scores?: boolean;
  /** A row ends with the token that completes one of these texts in it. Needs tokenizer.json, and num_beams 1. */
  readonly stop_strings?: string | readonly string[];
  /**
   * Changes the scores of a step on the host: the one slow path, it waits for the device at every step. `ids[r]` is row r so
   * far, `scores[r]` its V scores after the rules above (logits, or log-probabilities with beams), to be changed in place.
   */
  readonly logits_processor?: LogitsProcessor;
}

export type LogitsProcessor = (ids: readonly number[][], scores: readonly Float32Array[]) => void | Promise<void>;

/** How `sample` draws. */
export interface Sampling {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly min_p: number;
  readonly seed: number;
}

/** Every option settled. */
export interface Generation {
  /** num_beams: beams of a prompt. */
  readonly beams: number;
  /** Beams of a sentence: of a group. */
  readonly W: number;
  readonly groups: number;
  readonly diversity_penalty: number;
  readonly returned: number;
  /** Sentences drawn a prompt; 1 without sampling. */
  readonly samples: number;
  readonly sampling: Sampling | undefined;
  readonly length_penalty: number;
  readonly early_stopping: number;
  /** Most tokens generated a sentence. */
  readonly newTokens: number;
  readonly min_new_tokens: number;
  readonly repetition_penalty: number;
  readonly presence_penalty: number;
  readonly no_repeat_ngram_size: number;
  readonly banned: readonly (readonly number[])[];
  readonly suppress: readonly number[];
  readonly begin_suppress: readonly number[];
  readonly forced_bos: number | undefined;
  readonly forced_eos: number | undefined;
  readonly end: readonly number[];
  readonly pad: number;
  readonly start: number;
  readonly renormalize: boolean;
  readonly output_scores: boolean;
  readonly stop_strings: readonly string[];
  readonly logits_processor: LogitsProcessor | undefined;
}

export const MAX_BEAMS = 32;

type Rule = readonly [test: (value: unknown, V: number) => boolean, says: (V: number) => string];

const COUNT = 2 ** 31; // no count is larger
const whole = (least: number, most = COUNT): Rule => [
  (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  () => (most !== COUNT ? `a whole number from ${least} to ${most}` : `a whole number of at least ${least}`),
];
const isId = (value: unknown, V: number): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) < V;
const isIds = (value: unknown, V: number): boolean => Array.isArray(value) && value.every((id) => isId(id, V));
const id: Rule = [isId, (V) => `a token id from 0 to ${V - 1}`];
const ids: Rule = [isIds, (V) => `a list of token ids from 0 to ${V - 1}`];
const flag: Rule = [(value) => typeof value === "boolean", () => "true or false"];
const number: Rule = [(value) => typeof value === "number" && Number.isFinite(value), () => "a finite number"];
const positive: Rule = [(value) => typeof value === "number" && value > 0 && value < 1e6, () => "a number above 0 and below 1e6"];
const fraction = (least: string, holds: (value: number) => boolean): Rule => [
  (value) => typeof value === "number" && holds(value) && value <= 1, () => `a number ${least} and at most 1`,
];

const RULES: Readonly<Record<keyof GenerateOptions, Rule>> = {
  num_beams: whole(1, MAX_BEAMS),
  num_beam_groups: whole(1, MAX_BEAMS),
  diversity_penalty: [(value) => typeof value === "number" && value >= 0 && value < 1e6, () => "a number of at least 0 and below 1e6"],
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
  eos_token_id: [(value, V) => isId(value, V) || (isIds(value, V) && (value as []).length > 0), (V) => `a token id from 0 to ${V - 1}, or a list of them`],
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
    (value) => [value].flat().every((text) => typeof text === "string" && text !== ""), () => "a text or a list of texts, none empty",
  ],
  logits_processor: [(value) => typeof value === "function", () => "a function of ids and scores"],
};

// Fields of generation_config.json that change nothing here, and values of others that mean "off".
const INERT = /^(_from_model_config|transformers_version|use_cache|bos_token_id|return_dict_in_generate)$/;
const OFF: Readonly<Record<string, unknown>> = {
  typical_p: 1, epsilon_cutoff: 0, eta_cutoff: 0,
  encoder_repetition_penalty: 1, encoder_no_repeat_ngram_size: 0, remove_invalid_values: false, output_attentions: false,
  output_hidden_states: false, output_logits: false,
};

function checked(label: string, given: Json, V: number, inert: (key: string, value: unknown) => boolean): GenerateOptions {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || inert(key, value)) continue;
    if (!Object.hasOwn(RULES, key)) throw new OptionError(`${label}: ${key} is not supported; supported are ${Object.keys(RULES).join(", ")}`);
    const [holds, says] = RULES[key as keyof GenerateOptions];
    if (!holds(value, V)) throw new OptionError(`${label}: ${key} must be ${says(V)}, got ${show(value)}`);
    kept[key] = value;
  }
  return kept;
}

/**
 * Settles the options of one call. `V` vocabulary, `P` the most positions a target can have, `prompt` tokens of each target that
 * are given (the start token; the width of the prompts, padding included, without an encoder).
 * Throws OptionError for an unknown option or a value outside its range, naming both and the cure.
 */
export function settle(call: Json, checkpoint: Json, V: number, P: number, prompt: number, decoderOnly = false): Generation {
  const o: GenerateOptions = {
    ...checked("generation_config.json", checkpoint, V, (key, value) => INERT.test(key) || OFF[key] === value),
    ...checked("generate", call, V, () => false),
  };
  const beams = o.num_beams ?? 1;
  const groups = o.num_beam_groups ?? 1;
  const returned = o.num_return_sequences ?? 1;
  if (o.do_sample && beams > 1) throw new OptionError(`generate: num_beams must be 1 with do_sample, got ${beams}; beams are searched, not drawn`);
  if (returned > beams && !o.do_sample) throw new OptionError(`generate: num_return_sequences must be at most num_beams=${beams}, got ${returned}; raise num_beams or set do_sample`);
  if (beams % groups) throw new OptionError(`generate: num_beam_groups must divide num_beams=${beams}, got ${groups}`);
  if ((groups > 1) !== (o.diversity_penalty ?? 0) > 0) throw new OptionError(`generate: num_beam_groups above 1 and diversity_penalty above 0 go together, got ${groups} and ${o.diversity_penalty ?? 0}`);
  const stray = o.do_sample ? undefined : SAMPLING.find((key) => (call as GenerateOptions)[key] !== undefined && (call as GenerateOptions)[key] !== null);
  if (stray) throw new OptionError(`generate: ${stray} acts only with do_sample: true, which is not set`);
  if (o.stop_strings !== undefined && beams > 1) throw new OptionError(`generate: num_beams must be 1 with stop_strings, got ${beams}; use eos_token_id to end beams`);
  const limit = o.max_new_tokens !== undefined ? prompt + o.max_new_tokens : (o.max_length ?? 20);
  const named = o.max_new_tokens !== undefined ? "max_new_tokens" : "max_length";
  if (limit <= prompt) throw new OptionError(`generate: max_length must be above the ${prompt} given tokens, got ${limit}; raise it or give max_new_tokens`);
  if (limit - 1 > P) throw new OptionError(`generate: ${named} must leave at most ${P} positions (max_position_embeddings), got ${limit - 1}; lower it to ${named === "max_length" ? P + 1 : P + 1 - prompt}`);
  const end = o.eos_token_id === undefined ? [] : [o.eos_token_id].flat();
  const start = o.decoder_start_token_id;
  if (start === undefined && !decoderOnly) throw new OptionError("generate: decoder_start_token_id must be given, by the checkpoint or by the call");
  const least = Math.max(2, 1 + end.length);
  if (V < least) throw new OptionError(`generate: a beam search with ${end.length} end ids needs a vocabulary of at least ${least}, got ${V}`);
  const candidates = (1 + end.length) * (beams / groups) + beams - beams / groups;
  if (beams > 1 && candidates > 64) throw new OptionError(`generate: num_beams must be at most ${Math.floor((64 * beams) / candidates)} with ${end.length} end ids, got ${beams}`);
  return {
    beams, W: beams / groups, groups, diversity_penalty: o.diversity_penalty ?? 0, returned, newTokens: limit - prompt, start: start ?? 0, end,
    samples: o.do_sample ? returned : 1,
    sampling: o.do_sample ? settleSampling(o) : undefined,
    length_penalty: o.length_penalty ?? 1,
    early_stopping: beams === 1 ? EARLY_STOPPING.true : EARLY_STOPPING[String(o.early_stopping ?? false) as keyof typeof EARLY_STOPPING],
    min_new_tokens: Math.max(o.min_new_tokens ?? 0, (o.min_length ?? 0) - prompt), // min_length counts the prompt
    repetition_penalty: o.repetition_penalty ?? 1,
    presence_penalty: o.presence_penalty ?? 0,
    no_repeat_ngram_size: o.no_repeat_ngram_size ?? 0,
    // Transformers drops banned words that are an end id alone.
    banned: (o.bad_words_ids ?? []).filter((words) => words.length > 1 || !end.includes(words[0])),
    suppress: o.suppress_tokens ?? [],
    begin_suppress: o.begin_suppress_tokens ?? [],
    forced_bos: o.forced_bos_token_id,
    forced_eos: o.forced_eos_token_id,
    pad: o.pad_token_id ?? end[0] ?? 0,
    renormalize: o.renormalize_logits ?? false,
    output_scores: o.output_scores ?? false,
    stop_strings: [o.stop_strings ?? []].flat(),
    logits_processor: o.logits_processor,
  };
}

const SAMPLING = ["temperature", "top_k", "top_p", "min_p", "seed"] as const;

function settleSampling({ temperature = 1, top_k = 50, top_p = 1, min_p = 0, seed }: GenerateOptions): Sampling {
  return { temperature, top_k, top_p, min_p, seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0] };
}

/** Whether any rule acts on the scores, so that a step needs `logits_process`. */
export function hasRules(g: Generation): boolean {
  const lists = [g.banned, g.suppress, g.begin_suppress].some((list) => list.length > 0);
  const forced = g.forced_bos !== undefined || g.forced_eos !== undefined;
  const penalties = g.repetition_penalty !== 1 || g.presence_penalty !== 0 || g.no_repeat_ngram_size > 0;
  return lists || forced || penalties || g.min_new_tokens > 0 || g.logits_processor !== undefined;
}
