import type { TokenLogprob } from "../decode/candidates.js";
import type { Launches } from "../decode/loop.js";
import type { GenerateOptions } from "../decode/options.js";
import type { StepHook } from "../decode/search_step.js";
import type { StreamEvent } from "../decode/stream.js";
import type { Model } from "../model.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Alignment } from "./alignments.js";
import type { DirectionOptions } from "./directions.js";
import type { Beginning } from "./text_inputs.js";

/**
 * Options of text generation, besides those of `generate()`. Those about languages, `prefix` and `truncation` are for
 * models with an encoder.
 */
export interface TextOptions extends GenerateOptions, DirectionOptions {
  /** Stops the call, which rejects with its reason. */
  readonly signal?: AbortSignal;
  /**
   * Called with what each step of the search did: its beams, candidates and hypotheses. With several batches `step` begins
   * anew in each.
   */
  readonly onStep?: StepHook;
  /** How many texts to decode together, after sorting them by length. Default 64. */
  readonly batch_size?: number;
  /** Accept characters outside the vocabulary. Default false. */
  readonly allow_unknown?: boolean;
  /** Decoder-only models: begin each result with its prompt. Default true. */
  readonly return_full_text?: boolean;
  /**
   * What the results must begin with, or those of each text, in whole words or as token ids: with `return_alternatives`,
   * what stands before the words that are wanted. It is part of the results. For models with an encoder.
   */
  readonly target_prefix?: Beginning | readonly Beginning[];
  /** Also say which part of its text each generated token looks at, by one more pass. Default false. */
  readonly return_alignments?: boolean;
  /** Shorten texts that are too long for the model instead of refusing them. Default false. */
  readonly truncation?: boolean;
  /**
   * Take away spaces before punctuation and contractions in the results of a model with an encoder. Default: as the
   * tokenizer does.
   */
  readonly clean_up_tokenization_spaces?: boolean;
  /** Called after each batch, when `loaded` of `total` texts are done. */
  readonly progress?: (event: { readonly status: "progress"; readonly loaded: number; readonly total: number }) => void;
}

/** What a task calls the text of a result: `translation_text`, `summary_text` or `generated_text`, as on the Hub. */
export type TextName = "translation_text" | "summary_text" | "generated_text";

/** One result. */
export type GeneratedText<Name extends TextName = "generated_text"> = Readonly<Record<Name, string>> & {
  /** Its tokens, beginning with the prompt or the start token. */
  readonly token_ids: readonly number[];
  /** With beam search: log-probability / generated length ^ length_penalty. */
  readonly score?: number;
  /** With `output_scores`: log-probability of each generated token, after all rules on scores. */
  readonly logprobs?: readonly number[];
  /** With `top_logprobs`: the best tokens in the place of each. */
  readonly top_logprobs?: readonly (readonly TokenLogprob[])[];
  /** With `return_alignments`: of each generated token with a text, what it looks at. */
  readonly alignments?: readonly Alignment[];
  /** With `truncation`: how many tokens of the text were left out. */
  readonly truncated?: number;
};

/** What a call did, summed over its batches. */
export interface TextStats {
  /** Decoder steps. */
  readonly steps: number;
  /** Generated tokens of all results. */
  readonly tokens: number;
  /** Steps without the first one of each batch, which compiles. */
  readonly timed_steps: number;
  /** Milliseconds of the timed steps. */
  readonly ms: number;

  /** Launches of the last batch. */
  readonly launches: Launches;
}

/** A piece of a result that no later step can change. */
export type TextEvent = StreamEvent & { readonly text: string };

/**
 * Text generation on one checkpoint. One text gives a list of results, best first; a list of texts gives a list of such
 * lists.
 */
export interface TextTask<Name extends TextName = "generated_text"> extends AsyncDisposable {
  /** Generates from a text, or from each of a list. */
  (text: string, options?: TextOptions): Promise<GeneratedText<Name>[]>;
  /** Generates from a text, or from each of a list. */
  (texts: readonly string[], options?: TextOptions): Promise<GeneratedText<Name>[][]>;
  /** Generates from one batch of texts and yields pieces of text as they become final. */
  stream(
    texts: string | readonly string[],
    options?: Omit<TextOptions, "batch_size" | "progress" | "clean_up_tokenization_spaces" | "return_alignments">,
  ): AsyncGenerator<TextEvent>;
  /** The model. */
  readonly model: Model;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Statistics of the last call. */
  stats(): TextStats | undefined;
  /** Releases the model. */
  dispose(): void;
}
