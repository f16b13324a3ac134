import type { TokenLogprob } from "../decode/candidates.js";
import type { FinishReason } from "../decode/finish.js";
import type { Launches } from "../loop/call.js";
import type { GenerateOptions } from "../decode/options.js";
import type { StepHook } from "../decode/search_step.js";
import type { StreamEvent } from "../decode/stream.js";
import type { Model } from "../model.js";
import type { ChatTemplateOptions } from "../text/chat_template.js";
import type { ChatMessage, Conversation } from "../text/messages.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Chat, ChatOptions } from "./chat.js";
import type { Alignment } from "./alignments.js";
import type { DirectionOptions } from "./directions.js";
import type { Beginning } from "./text_inputs.js";

/**
 * Options of text generation, besides those of `generate()`. Those about languages, `prefix` and `truncation` are for
 * models with an encoder, those of chat templates for conversations.
 */
export interface TextOptions extends GenerateOptions, DirectionOptions, ChatTemplateOptions {
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
  /** Decoder-only models: begin each result with its prompt, a text or the messages. Default true. */
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

/** How many tokens a call took of a result, as servers count them. */
export interface Usage {
  /** Of the text or conversation, special ones included. */
  readonly prompt_tokens: number;
  /** Generated, the end token included. */
  readonly completion_tokens: number;
  /** Both. */
  readonly total_tokens: number;
}

/** One result: of a text a text, of a conversation its messages with the reply at their end. */
export type GeneratedText<Name extends TextName = "generated_text", T = string> = Readonly<Record<Name, T>> & {
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
  /** Why it ended: "stop" by an end token or a stop string, "length" because it may not be longer. */
  readonly finish_reason: FinishReason;
  /** How many tokens it took. */
  readonly usage: Usage;
};

/** The results of an input: of a text or a conversation, best first; of a list of these, such a list of each. */
export type TextResults<I, Name extends TextName, Full extends boolean> = I extends string
  ? GeneratedText<Name>[]
  : I extends Conversation
    ? GeneratedText<Name, Full extends true ? ChatMessage[] : string>[]
    : I extends readonly (infer One)[]
      ? TextResults<One, Name, Full>[]
      : never;

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
export interface TextEvent extends Omit<StreamEvent, "text"> {
  /** Their text. */
  readonly text: string;
  /** Of the last event of each row alone. */
  readonly finish_reason?: FinishReason;
  /** Of the last event of each row alone. */
  readonly usage?: Usage;
}

/** What a stream does not take: it is one batch, and gives no more than what is new. */
type BatchOption = "batch_size" | "progress" | "clean_up_tokenization_spaces" | "return_alignments";

/**
 * Text generation on one checkpoint. One text gives a list of results, best first; a list of texts gives a list of such
 * lists.
 */
export interface TextTask<
  Name extends TextName = "generated_text",
  Input extends string | Conversation = string,
> extends AsyncDisposable {
  /** Generates from a text or a conversation, or from each of a list. */
  <I extends Input | readonly Input[], Full extends boolean = true>(
    input: I,
    options?: TextOptions & { readonly return_full_text?: Full },
  ): Promise<TextResults<I, Name, Full>>;
  /**
   * Generates from one batch of texts and yields pieces of text as they become final; the last event of each row says why
   * it ended and how many tokens it took.
   */
  stream(input: Input | readonly Input[], options?: Omit<TextOptions, BatchOption>): AsyncGenerator<TextEvent>;
  /** The model. */
  readonly model: Model;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Statistics of the last call. */
  stats(): TextStats | undefined;
  /** Releases the model. */
  dispose(): void;
}

/** Text generation with a decoder-only model, from texts or from conversations. */
export interface GenerationTask extends TextTask<"generated_text", string | Conversation> {
  /**
   * Opens a conversation of several turns, whose past stays on the device between them. Throws InputError and OptionError.
   * @example
   * const chat = task.chat({ system: "Answer briefly." });
   * for await (const { text } of chat.stream("Who are you?")) process.stdout.write(text);
   * const { text, usage } = await chat.send("And who am I?");
   * chat.dispose();
   */
  chat(options?: ChatOptions): Chat;
}
