import type { TokenLists } from "../inputs.js";

/** Changes the scores of all rows before tokens are chosen: `ids[r]` is row r so far, `scores[r]` its V scores. */
export type LogitsProcessor = (ids: readonly number[][], scores: readonly Float32Array[]) => void | Promise<void>;

/** What an option concerns; `penalties` and `sampling` are the parameters of the kernels `logits_process` and `sample`. */
export type Group = "search" | "length" | "penalties" | "tokens" | "sampling" | "output";

/** The values that an option may have, and the words for them; V is the vocabulary. Words that say "token id" mean 0 to V-1. */
interface Rule<T> {
  readonly words: string;
  holds(value: unknown, V: number): value is T;
}

interface Option<T, D, G> {
  readonly rule: Rule<T>;
  readonly default: D;
  readonly group: G;
}

const option = <T, D extends T | undefined, G extends Group>(rule: Rule<T>, preset: D, group: G): Option<T, D, G> => ({
  rule,
  default: preset,
  group,
});

function rule<T>(words: string, holds: (value: unknown, V: number) => boolean): Rule<T> {
  return { words, holds: holds as Rule<T>["holds"] };
}

const COUNT = 2 ** 31; // no count is larger
const range = (words: string, holds: (value: number) => boolean): Rule<number> =>
  rule(words, (value) => typeof value === "number" && holds(value));
const whole = (least: number, most = COUNT): Rule<number> =>
  range(
    most === COUNT ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`,
    (value) => Number.isInteger(value) && value >= least && value <= most,
  );
const isId = (value: unknown, V: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < V;
const isIds = (value: unknown, V: number): value is readonly number[] =>
  Array.isArray(value) && value.every((id) => isId(id, V));
const isWords = (value: unknown, V: number): boolean => isIds(value, V) && value.length > 0;

export const MAX_BEAMS = 32;
const flag = rule<boolean>("true or false", (value) => typeof value === "boolean");
const finite = range("a finite number", Number.isFinite);
const positive = range("a number above 0 and below 1e6", (value) => value > 0 && value < 1e6);
const penalty = range("a number of at least 0 and below 1e6", (value) => value >= 0 && value < 1e6);
const nucleus = range("a number above 0 and at most 1", (value) => value > 0 && value <= 1);
const fraction = range("a number of at least 0 and at most 1", (value) => value >= 0 && value <= 1);
const id = rule<number>("a token id", isId);
const ids = rule<readonly number[]>("a list of token ids", isIds);
const endIds = rule<number | readonly number[]>(
  "a token id, or a list of them",
  (value, V) => isId(value, V) || isWords(value, V),
);
const idLists = rule<TokenLists>(
  "a list of non-empty lists of token ids",
  (value, V) => Array.isArray(value) && value.every((words) => isWords(words, V)),
);
const stopping = rule<boolean | "never">(
  'true, false or "never"',
  (value) => typeof value === "boolean" || value === "never",
);
const texts = rule<string | readonly string[]>("a text or a list of texts, none empty", (value) =>
  [value].flat().every((text) => typeof text === "string" && text !== ""),
);
const processor = rule<LogitsProcessor>("a function of ids and scores", (value) => typeof value === "function");

/** The options of `generate()`: `name: option(rule, default, group)`. Types, checks, defaults and help texts come from here. */
export const OPTIONS = {
  /** Beams a prompt, 1 to 32; 1 is greedy search, or sampling. Default 1. */
  num_beams: option(whole(1, MAX_BEAMS), 1, "search"),
  /** Beams in groups that avoid one another's tokens (diverse beam search, Vijayakumar et al. 2016); divides num_beams. Default 1. */
  num_beam_groups: option(whole(1, MAX_BEAMS), 1, "search"),
  /** Taken off a token's log-probability for every beam of an earlier group that chose it at the same step. Default 0. */
  diversity_penalty: option(penalty, 0, "search"),
  /** Results a prompt, best first: at most num_beams hypotheses, or this many samples. Default 1. */
  num_return_sequences: option(whole(1, MAX_BEAMS), 1, "search"),
  /** Beam scores are log-probability / generated length ^ length_penalty. Default 1. */
  length_penalty: option(finite, 1, "search"),
  /** Stop a sentence: true, at num_beams hypotheses; false, when no beam is likely to do better; "never", when none can. Default false. */
  early_stopping: option(stopping, false, "search"),
  /** Most tokens of a result, the prompt or the start token counted. Default 20. */
  max_length: option(whole(1), 20, "length"),
  /** Most tokens generated; wins over max_length. */
  max_new_tokens: option(whole(1), undefined, "length"),
  /** Fewest tokens of a result before an end id, the prompt or the start token counted. Default 0. */
  min_length: option(whole(0), 0, "length"),
  /** Fewest tokens generated before an end id. Default 0. */
  min_new_tokens: option(whole(0), 0, "length"),
  /** Divides positive scores, and multiplies negative ones, of every token that the row has (Keskar et al. 2019). Default 1. */
  repetition_penalty: option(positive, 1, "penalties"),
  /** Subtracted from the score of every token that the row has. Default 0. */
  presence_penalty: option(finite, 0, "penalties"),
  /** No run of this many tokens comes twice in a row; 0 allows all. Default 0. */
  no_repeat_ngram_size: option(whole(0), 0, "penalties"),
  /** Runs of tokens that must not come out: the last token of each is banned after the others. */
  bad_words_ids: option(idLists, [], "tokens"),
  /** Tokens that are never generated. */
  suppress_tokens: option(ids, [], "tokens"),
  /** Tokens that are not generated first. */
  begin_suppress_tokens: option(ids, [], "tokens"),
  /** The token generated first after a single given token, such as the target language. */
  forced_bos_token_id: option(id, undefined, "tokens"),
  /** The token generated last by rows that reach their greatest length. */
  forced_eos_token_id: option(id, undefined, "tokens"),
  /** Tokens that end a row; without any, rows run to their greatest length. */
  eos_token_id: option(endIds, undefined, "tokens"),
  /** Fills results behind their end: the first of eos_token_id when absent. */
  pad_token_id: option(id, undefined, "tokens"),
  /** First token of every target; encoder-decoders need it. */
  decoder_start_token_id: option(id, undefined, "tokens"),
  /** Normalise log-probabilities again after all rules on scores. Default false. */
  renormalize_logits: option(flag, false, "output"),
  /** Draw tokens instead of taking the best. Default false. */
  do_sample: option(flag, false, "search"),
  /** Divides the logits before sampling. Default 1. */
  temperature: option(positive, 1, "sampling"),
  /** Sample among this many best tokens; 0 is all. Default 50. */
  top_k: option(whole(0), 50, "sampling"),
  /** Sample among the best tokens whose probabilities sum to this. Default 1. */
  top_p: option(nucleus, 1, "sampling"),
  /** Sample among tokens at least this fraction as probable as the best. Default 0. */
  min_p: option(fraction, 0, "sampling"),
  /** The same seed draws the same tokens on every runtime. Drawn anew for each call when absent. */
  seed: option(whole(0, 2 ** 32 - 1), undefined, "sampling"),
  /** Return the log-probability of each generated token, after all rules on scores. Default false. */
  output_scores: option(flag, false, "output"),
  /** A row ends with the token that completes one of these texts in it. Needs tokenizer.json, and num_beams 1. */
  stop_strings: option(texts, undefined, "output"),
  /**
   * Changes the scores of a step on the host: the one slow path, it waits for the device at every step. `ids[r]` is row r so
   * far, `scores[r]` its V scores after the rules above (logits, or log-probabilities with beams), to be changed in place.
   */
  logits_processor: option(processor, undefined, "output"),
};

type Table = typeof OPTIONS;
type ValueOf<O> = O extends { readonly rule: Rule<infer T> } ? T : never;
type ResolvedValue<O> = O extends { readonly default: undefined } ? ValueOf<O> | undefined : ValueOf<O>;

/** Options of `generate()`, named and meant as in Transformers' generation_config.json; the call's win over the checkpoint's. */
export type GenerateOptions = { readonly [K in keyof Table]?: ValueOf<Table[K]> };

/** Every option with its value or default. */
export type AllOptions = { readonly [K in keyof Table]: ResolvedValue<Table[K]> };

/** The options of one group with their values or defaults. */
export type GroupOptions<G extends Group> = {
  readonly [K in keyof Table as Table[K]["group"] extends G ? K : never]: ResolvedValue<Table[K]>;
};

/** Names of the options of a group. */
export const namesOf = (group: Group): (keyof Table)[] =>
  (Object.keys(OPTIONS) as (keyof Table)[]).filter((name) => OPTIONS[name].group === group);

/** Picks the options of a group. */
export const groupOf = <G extends Group>(options: AllOptions, group: G): GroupOptions<G> =>
  Object.fromEntries(namesOf(group).map((name) => [name, options[name]])) as GroupOptions<G>;

/** All options, those absent with their defaults. */
export const withDefaults = (given: GenerateOptions): AllOptions =>
  Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { default: preset }]) => [name, given[name as keyof Table] ?? preset]),
  ) as AllOptions;
