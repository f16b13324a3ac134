import { checkOption, FLAG, oneOf, type Rule } from "../../runtime/checks.js";
import { OptionError } from "../../runtime/errors.js";
import { GENERATE_OPTIONS } from "../decode/option_checks.js";
import type { GenerateOptions } from "../decode/options.js";
import type { CallOptions } from "../model.js";
import type { Thresholds } from "./fallback.js";
import type { WhisperConfig } from "./whisper_config.js";

/**
 * Options of a transcription by Whisper, besides those of `generate()`. Those of a call take precedence over the
 * checkpoint's; `null` switches the checkpoint's off.
 */
export interface SpeechOptions extends Omit<CallOptions, "temperature" | "return_timestamps" | OwnOptions>, Thresholds {
  /** The language that is spoken, as a code ("de") or a name ("German"), or one for each recording. Default: detected. */
  readonly language?: string | readonly string[] | null;
  /** "transcribe", or "translate" into English. Default "transcribe". */
  readonly task?: "transcribe" | "translate" | null;
  /** Times of segments (true) or of words ("word"). Default: true for recordings that are longer than a window. */
  readonly return_timestamps?: boolean | "word" | null;
  /** Tokens before the transcript, such as names that occur, beginning with <|startofprev|>; or their text. */
  readonly prompt_ids?: string | readonly number[] | null;
  /** Where the prompt stands: before the first window, or before all. Default "first-segment". */
  readonly prompt_condition_type?: "first-segment" | "all-segments" | null;
  /** Let each window see the text of those before it. Default false. */
  readonly condition_on_prev_tokens?: boolean | null;
  /**
   * Draws tokens at this temperature; 0 takes the best ones. Of a list, the next is tried where a threshold rejects the
   * result of the one before. Default 0.
   */
  readonly temperature?: number | readonly number[] | null;
  /** Tries the next temperature where the tokens can be compressed better than this: they repeat themselves. */
  readonly compression_ratio_threshold?: number | null;
  /** Tries the next temperature where the mean log-probability of the tokens is below this. */
  readonly logprob_threshold?: number | null;
  /** Leaves out a window that is more probably without speech than this, if it is below logprob_threshold as well. */
  readonly no_speech_threshold?: number | null;
}

const isNumber = (value: unknown, least: number): boolean => Number.isFinite(value) && Number(value) >= least;
const isList = (value: unknown, holds: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && Array.from<unknown>(value).every(holds);
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const limit = (words: string, least: number): Rule => ({ words, holds: (value) => isNumber(value, least) });

/** Options of a transcription that are not those of `generate()`, or have other values. */
export const SPEECH_RULES: Readonly<Record<string, Rule>> = {
  language: { words: "a language or a list of them", holds: (value) => isText(value) || isList(value, isText) },
  task: oneOf("transcribe", "translate"),
  return_timestamps: oneOf(true, false, "word"),
  prompt_ids: {
    words: "a text or a list of token ids",
    holds: (value) => isText(value) || isList(value, (id) => Number.isInteger(id) && Number(id) >= 0),
  },
  prompt_condition_type: oneOf("first-segment", "all-segments"),
  condition_on_prev_tokens: FLAG,
  temperature: {
    words: "a number of at least 0, or a list of them",
    holds: (value) => isNumber(value, 0) || isList(value, (item) => isNumber(item, 0)),
  },
  compression_ratio_threshold: limit("a number of at least 0", 0),
  logprob_threshold: limit("a number", -Infinity),
  no_speech_threshold: limit("a number of at least 0", 0),
};

/** Options of `generate()` that a transcription sets itself, or of which its result shows nothing. */
type OwnOptions = (typeof OWN)[number];
const OWN = [
  "decoder_start_token_id",
  "do_sample",
  "forced_decoder_ids",
  "no_timestamps_token_id",
  "output_attentions",
  "output_scores",
] as const;

/** The names of all options of a transcription, those of `generate()` among them. */
export const SPEECH_OPTIONS: readonly string[] = [
  ...Object.keys(SPEECH_RULES),
  ...GENERATE_OPTIONS.filter((name) => !(OWN as readonly string[]).includes(name)),
];

/** The options of a transcription with their defaults, apart from those of the search. */
export interface ResolvedSpeech {
  readonly language: string | readonly string[] | undefined;
  readonly task: "transcribe" | "translate" | undefined;
  readonly return_timestamps: boolean | "word";
  readonly prompt: readonly number[] | undefined;
  readonly prompt_condition_type: "first-segment" | "all-segments";
  readonly condition_on_prev_tokens: boolean;
  readonly temperatures: readonly number[];
  readonly thresholds: Thresholds;
  /** Options of `generate()`. */
  readonly search: GenerateOptions;
}

/** Options that are stated: null is none. */
type Stated = { readonly [K in keyof SpeechOptions]: Exclude<SpeechOptions[K], null> };

/** What the meaning of options depends on. */
export interface SpeechContext {
  readonly config: WhisperConfig;
  /** Whether any recording is longer than a window. */
  readonly isLong: boolean;
  /** The tokens of a prompt. */
  readonly spell: (text: string) => readonly number[];
}

/** Options that generation_config.json may hold. */
const STORED = [
  "language",
  "task",
  "return_timestamps",
  "condition_on_prev_tokens",
  "compression_ratio_threshold",
  "logprob_threshold",
  "no_speech_threshold",
] as const;

/**
 * Checks the options of a transcription and fills them up with those of the checkpoint. Those that are left are options
 * of `generate()`. Throws OptionError for values outside their range, and for options that do not fit together.
 */
export function resolveSpeech(given: SpeechOptions, { config, isLong, spell }: SpeechContext): ResolvedSpeech {
  const stored = STORED.filter((name) => given[name] !== null).map((name) => [name, config.stored[name]] as const);
  const theirs = check("generation_config.json", stored);
  const own = check("speech", Object.entries(given));
  const merged: Stated = { ...theirs, ...(isLong && { return_timestamps: true }), ...own };
  const { language, task, return_timestamps = false, prompt_ids, temperature = 0, ...rest } = merged;
  const { prompt_condition_type = "first-segment", condition_on_prev_tokens = false, ...more } = rest;
  const { compression_ratio_threshold, logprob_threshold, no_speech_threshold, signal: _, ...search } = more;
  const thresholds = { compression_ratio_threshold, logprob_threshold, no_speech_threshold };
  const resolved: ResolvedSpeech = {
    language,
    task,
    return_timestamps,
    prompt: typeof prompt_ids === "string" ? spell(prompt_ids) : prompt_ids,
    prompt_condition_type,
    condition_on_prev_tokens,
    temperatures: [temperature].flat(),
    thresholds,
    search: { ...search, return_timestamps: Boolean(return_timestamps) },
  };
  checkTogether(resolved, own, config, isLong);
  return resolved;
}

/** Options that are given; null is none but in options of `generate()`. Throws OptionError for a value that breaks its rule. */
function check(who: string, entries: readonly (readonly [name: string, value: unknown])[]): Stated {
  const given = entries.filter(
    ([name, value]) => (Object.hasOwn(SPEECH_RULES, name) ? (value ?? undefined) : value) !== undefined,
  );
  for (const [name, value] of given)
    if (Object.hasOwn(SPEECH_RULES, name)) checkOption(who, name, value, SPEECH_RULES[name]);
  return Object.fromEntries(given);
}

function checkTogether(
  { return_timestamps, thresholds, temperatures, prompt = [], search, ...o }: ResolvedSpeech,
  call: Stated,
  { alignmentHeads, V }: WhisperConfig,
  isLong: boolean,
): void {
  const isNumber = (value: unknown): boolean => typeof value === "number";
  if (isLong && !return_timestamps)
    throw new OptionError(
      "speech: return_timestamps must not be false for recordings longer than a window, of which the next begins at a timestamp; leave it out",
    );
  if (return_timestamps === "word" && !alignmentHeads)
    throw new OptionError(
      'speech: return_timestamps must be true or false without alignment_heads in generation_config.json, got "word"; add them there',
    );
  const idle = (["compression_ratio_threshold", "logprob_threshold"] as const).find((name) => isNumber(call[name]));
  if (idle && temperatures.length === 1 && !isNumber(thresholds.no_speech_threshold))
    throw new OptionError(
      `speech: ${idle} acts only with a list of temperatures, of which the next is tried; give one`,
    );
  if (prompt.some((id) => id >= V))
    throw new OptionError(`speech: prompt_ids must be token ids from 0 to ${V - 1}, got ${Math.max(...prompt)}`);
  if (isNumber(thresholds.no_speech_threshold) && !isNumber(thresholds.logprob_threshold))
    throw new OptionError("speech: no_speech_threshold acts only with logprob_threshold, which is not given");
  if (o.prompt_condition_type === "all-segments" && !o.condition_on_prev_tokens)
    throw new OptionError(
      'speech: prompt_condition_type "all-segments" acts only with condition_on_prev_tokens: true, which is not set',
    );
}
