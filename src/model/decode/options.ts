import { MOST_CANDIDATES } from "../../kernels/topk.js";
import type { TokenLists, TokenRows } from "../inputs.js";

type Scores = readonly ArrayLike<number>[];

/**
 * Changes the scores of all rows before tokens are chosen, in place or by returning others: `ids[r]` are the tokens of
 * row r, `scores[r]` its V scores. -Infinity bans a token.
 */
export type LogitsProcessor = (
  ids: readonly number[][],
  scores: readonly Float32Array[],
) => Scores | void | Promise<Scores | void>;

/**
 * What an option is about. The options of `penalties` and `sampling` are parameters of the kernels `logits_process` and
 * `sample`.
 */
export type Group = "search" | "length" | "penalties" | "tokens" | "sampling" | "output";

/** Which values an option may have, and how messages say it ("token id" means 0 to V-1, V the vocabulary). */
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
/** Whether a value is a list of such items; a hole is an item too. */
const isList = (value: unknown, holds: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && Array.from<unknown>(value).every(holds);
const isIds = (value: unknown, V: number): value is readonly number[] => isList(value, (id) => isId(id, V));
const isWords = (value: unknown, V: number): boolean => isIds(value, V) && value.length > 0;

/** Most beams of a prompt. */
export const MAX_BEAMS = 32;
const flag = rule<boolean>("true or false", (value) => typeof value === "boolean");
const finite = range("a finite number", Number.isFinite);
// What the device can neither hold nor divide by is refused: its numbers are f32, without denormals.
const positive = range("a number from 1e-30 to 1e6", (value) => value >= 1e-30 && value <= 1e6);
const signed = range("a number from -1e6 to 1e6", (value) => Math.abs(value) <= 1e6);
const penalty = range("a number of at least 0 and below 1e6", (value) => value >= 0 && value < 1e6);
const nucleus = range("a number from 1e-30 to 1", (value) => value >= 1e-30 && value <= 1);
const patience = range("a number above 0 and at most 32", (value) => value > 0 && value <= 32);
const fraction = range("a number of at least 0 and at most 1", (value) => value >= 0 && value <= 1);
const id = rule<number>("a token id", isId);
const ids = rule<readonly number[]>("a list of token ids", isIds);
const endIds = rule<number | readonly number[]>(
  "a token id, or a list of them",
  (value, V) => isId(value, V) || isWords(value, V),
);
const idEach = rule<number | readonly number[]>(
  "a token id, or a list of one for each prompt",
  (value, V) => isId(value, V) || isWords(value, V),
);
const idLists = rule<TokenLists>("a list of non-empty lists of token ids", (value, V) =>
  isList(value, (words) => isWords(words, V)),
);
const stopping = rule<boolean | "never">(
  'true, false or "never"',
  (value) => typeof value === "boolean" || value === "never",
);
const searches = rule<"transformers" | "opennmt">(
  '"transformers" or "opennmt"',
  (value) => value === "transformers" || value === "opennmt",
);
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const texts = rule<string | readonly string[]>(
  "a text or a list of texts, none empty",
  (value) => isText(value) || isList(value, isText),
);
const processor = rule<LogitsProcessor>("a function of ids and scores", (value) => typeof value === "function");

/**
 * The options of `generate()`: `name: option(rule, default, group)`. Types, checks, defaults and help texts come from
 * here.
 */
export const OPTIONS = {
  /** Beams for each prompt, 1 to 32; 1 means greedy search, or sampling. Default 1. */
  num_beams: option(whole(1, MAX_BEAMS), 1, "search"),
  /**
   * Whose beam search: "transformers", or "opennmt", as OpenNMT and FasterTransformer have it: a beam that ends stays among
   * the num_beams until all have ended, and competes with its end token at log-probability 0. Default "transformers".
   */
  search: option(searches, "transformers", "search"),
  /**
   * Groups of beams that avoid one another's tokens (diverse beam search, Vijayakumar et al. 2016); divides num_beams.
   * Default 1.
   */
  num_beam_groups: option(whole(1, MAX_BEAMS), 1, "search"),
  /**
   * Subtracted from the log-probability of a token for each beam of an earlier group that chose it in the same step.
   * Default 0.
   */
  diversity_penalty: option(penalty, 0, "search"),
  /** Results for each prompt, best first: at most num_beams hypotheses, or this many samples. Default 1. */
  num_return_sequences: option(whole(1, MAX_BEAMS), 1, "search"),
  /**
   * Results are alternatives: the num_return_sequences most probable next tokens after the given ones, none of which
   * ends the text, each continued by the search as if alone. Default false.
   */
  return_alternatives: option(flag, false, "search"),
  /** With return_alternatives: leaves out next tokens that are less probable than this. Default 0. */
  min_alternative_expansion_prob: option(fraction, 0, "search"),
  /**
   * The score of a hypothesis is log-probability / generated length ^ length_penalty. With search: "opennmt" it is
   * log-probability / ((5 + generated length) / 6) ^ length_penalty (Wu et al. 2016, eq. 14), beams rank by it too, and only
   * the call's own value counts, else 0. Acts with num_beams above 1 alone. Default 1.
   */
  length_penalty: option(finite, 1, "search"),
  /**
   * With search: "opennmt" and an encoder: how much of a missing log-coverage of the source, by the first head of the last layer,
   * is taken off the score of a beam that has ended (Wu et al. 2016, eq. 14). It takes two more launches a step. Default 0.
   */
  coverage_penalty: option(penalty, 0, "search"),
  /**
   * When a sentence ends: true: at num_beams hypotheses; false: when better ones are unlikely; "never": when
   * impossible. Acts with num_beams above 1 alone, and not with search: "opennmt". Default false.
   */
  early_stopping: option(stopping, false, "search"),
  /**
   * A sentence counts as full at num_beams * patience hypotheses, rounded (Kasai et al. 2022). Acts with num_beams above 1
   * alone. Default 1.
   */
  patience: option(patience, 1, "search"),
  /**
   * Most tokens of a result, including the prompt or the start token. Default: 20 new tokens, or fewer where the
   * positions of the model end.
   */
  max_length: option(whole(1), undefined, "length"),
  /** Most tokens generated; takes precedence over max_length. */
  max_new_tokens: option(whole(1), undefined, "length"),
  /** Fewest tokens of a result before its end token, including the prompt or the start token. Default 0. */
  min_length: option(whole(0), 0, "length"),
  /** Fewest tokens generated before the end token; takes precedence over min_length. */
  min_new_tokens: option(whole(0), undefined, "length"),
  /**
   * Divides positive scores and multiplies negative scores of tokens that the row already has (Keskar et al. 2019).
   * Default 1.
   */
  repetition_penalty: option(positive, 1, "penalties"),
  /** Subtracted from the score of each token that the row already has. Default 0. */
  presence_penalty: option(signed, 0, "penalties"),
  /** No sequence of this many tokens occurs twice in a row; 0 means no limit. Default 0. */
  no_repeat_ngram_size: option(whole(0), 0, "penalties"),
  /** Token sequences that must not be generated: the last token of each is banned after the others. */
  bad_words_ids: option(idLists, [], "tokens"),
  /** Tokens that are never generated. */
  suppress_tokens: option(ids, [], "tokens"),
  /** Tokens that are never generated first. */
  begin_suppress_tokens: option(ids, [], "tokens"),
  /**
   * Whisper's timestamps: they stand in pairs and never go back, and win where all together are more probable than any
   * other token. Default false.
   */
  return_timestamps: option(flag, false, "output"),
  /** Bans timestamps in Whisper; those above it are the timestamps. */
  no_timestamps_token_id: option(id, undefined, "tokens"),
  /** How far above the lowest timestamp the first may be. Default: no limit. */
  max_initial_timestamp_index: option(whole(0), undefined, "output"),
  /** The token generated first after a single given token, such as the target language; one, or one for each prompt. */
  forced_bos_token_id: option(idEach, undefined, "tokens"),
  /** The token generated last by rows that reach their maximum length. */
  forced_eos_token_id: option(id, undefined, "tokens"),
  /** Tokens that end a row; without any, rows continue to their maximum length. */
  eos_token_id: option(endIds, undefined, "tokens"),
  /** Fills rows after their end. Default: the first of eos_token_id. */
  pad_token_id: option(id, undefined, "tokens"),
  /** The first token of every target, one or one for each; encoder-decoders need it. Default: bos_token_id. */
  decoder_start_token_id: option(idEach, undefined, "tokens"),
  /** The first token of every target where there is no decoder_start_token_id. */
  bos_token_id: option(id, undefined, "tokens"),
  /** Normalise log-probabilities again after all rules on scores. Default false. */
  renormalize_logits: option(flag, false, "output"),
  /** Sample tokens instead of taking the best ones. Default false. */
  do_sample: option(flag, false, "search"),
  /** Divides the logits before sampling. Default 1. */
  temperature: option(positive, 1, "sampling"),
  /** Sample from this many best tokens; 0 or null means all. Default 50. */
  top_k: option(whole(0), 50, "sampling"),
  /** Sample from the fewest best tokens whose probabilities add up to this. Default 1. */
  top_p: option(nucleus, 1, "sampling"),
  /** Sample from tokens that are at least this fraction as probable as the best one. Default 0. */
  min_p: option(fraction, 0, "sampling"),
  /** The same seed gives the same tokens in every runtime. Default: a new random seed for each call. */
  seed: option(whole(0, 2 ** 32 - 1), undefined, "sampling"),
  /** Also return the log-probability of each generated token, after all rules on scores. Default false. */
  output_scores: option(flag, false, "output"),
  /**
   * Also return this many best tokens of each step with their log-probabilities, after all rules on scores: 0 to 128.
   * With do_sample it takes one more launch a step. Default 0.
   */
  top_logprobs: option(whole(0, MOST_CANDIDATES), 0, "output"),
  /**
   * Also return the weights of cross attention by which each token was chosen, computed after the search by one pass over
   * the results; encoder-decoders alone. Default false.
   */
  output_attentions: option(flag, false, "output"),
  /** A row ends with the token that completes one of these texts. Needs tokenizer.json and num_beams 1. */
  stop_strings: option(texts, undefined, "output"),
  /**
   * Changes the scores of each step on the host. This is slow, because the host and the device wait for each other.
   * `ids[r]` are the tokens of row r so far, `scores[r]` its V scores after the rules above (logits; with beams
   * log-probabilities), to change in place or to return others for; -Infinity bans a token.
   */
  logits_processor: option(processor, undefined, "output"),
};

type Table = typeof OPTIONS;
type ValueOf<O> = O extends { readonly rule: Rule<infer T> } ? T : never;
/** What a call may give: lists of token ids of any kind, as for inputs. */
type Given<O> = O extends { readonly group: "tokens" } ? AnyLists<ValueOf<O>> : ValueOf<O>;
type AnyLists<T> = T extends TokenLists ? TokenRows : T extends readonly number[] ? TokenRows[number] : T;
type ResolvedValue<O> = O extends { readonly default: undefined } ? ValueOf<O> | undefined : ValueOf<O>;

/**
 * Options of `generate()`, as in Transformers' generation_config.json. Those of a call take precedence over the
 * checkpoint's; `null` in a call switches the checkpoint's off.
 */
export type GenerateOptions = { readonly [K in keyof Table]?: Given<Table[K]> | null };

/** All options with their values or defaults. */
export type AllOptions = { readonly [K in keyof Table]: ResolvedValue<Table[K]> };

/** The options of one group with their values or defaults. */
export type GroupOptions<G extends Group> = {
  readonly [K in keyof Table as Table[K]["group"] extends G ? K : never]: ResolvedValue<Table[K]>;
};

/** How messages say which values an option may have, in a vocabulary of V tokens. */
export const ruleWords = (name: keyof Table, V: number): string =>
  OPTIONS[name].rule.words.replace(/token ids?/, `$& from 0 to ${V - 1}`);

/** The names of the options of a group. */
export const namesOf = (group: Group): (keyof Table)[] =>
  (Object.keys(OPTIONS) as (keyof Table)[]).filter((name) => OPTIONS[name].group === group);

/** Picks the options of a group. */
export const groupOf = <G extends Group>(options: AllOptions, group: G): GroupOptions<G> =>
  Object.fromEntries(namesOf(group).map((name) => [name, options[name]])) as GroupOptions<G>;

/** What null means where it is not the default. */
const OFF: GenerateOptions = { top_k: 0 };

/** Fills in the defaults of options that are absent or null. */
export const withDefaults = (given: GenerateOptions): AllOptions =>
  Object.fromEntries(
    Object.entries(OPTIONS).map(([key, { default: preset }]) => {
      const name = key as keyof Table;
      return [name, given[name] ?? (given[name] === null ? OFF[name] : undefined) ?? preset];
    }),
  ) as AllOptions;
