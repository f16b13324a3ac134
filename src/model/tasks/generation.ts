import { CALLBACK, checkObject, checkOption, FLAG, wholeNumber } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { Launches } from "../decode/loop.js";
import { longest } from "../inputs.js";
import { load, type LoadOptions } from "../load.js";
import type { Model } from "../model.js";
import type { GenerateOptions } from "../decode/options.js";
import { continuationOf } from "../text/detokenizer.js";
import { checkText, requireTokenizer, type Tokenizer } from "../text/tokenizer.js";
import { generateInputs, type Prompt, readInputs, readPrompt } from "./text_inputs.js";

/** Options of text generation, besides those of `generate()`. */
export interface TextOptions extends GenerateOptions {
  readonly signal?: AbortSignal;
  /** How many texts to decode together, after sorting them by length. Default 64. */
  readonly batch_size?: number;
  /** Accept characters outside the vocabulary. Default false. */
  readonly allow_unknown?: boolean;
  /** Decoder-only models: begin each result with its prompt. Default true. */
  readonly return_full_text?: boolean;
  /** Called after each batch, when `loaded` of `total` texts are done. */
  readonly progress?: (event: { readonly status: "progress"; readonly loaded: number; readonly total: number }) => void;
}

/** One result. */
export interface GeneratedText {
  readonly generated_text: string;
  /** Its tokens, beginning with the prompt or the start token. */
  readonly token_ids: readonly number[];
  /** With beam search: log-probability / generated length ^ length_penalty. */
  readonly score?: number;
}

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

  readonly launches: Launches;
}

/** A piece of a result that no later step can change. */
export interface TextEvent {
  /** Index of the input; with samples, of the result. */
  readonly row: number;
  readonly token_ids: readonly number[];
  readonly text: string;
}

/**
 * Text generation on one checkpoint. One text gives a list of results, best first; a list of texts gives a list of such
 * lists.
 */
export interface TextTask extends AsyncDisposable {
  (text: string, options?: TextOptions): Promise<GeneratedText[]>;
  (texts: readonly string[], options?: TextOptions): Promise<GeneratedText[][]>;
  /** Generates from one batch of texts and yields pieces of text as they become final. */
  stream(
    texts: string | readonly string[],
    options?: Omit<TextOptions, "batch_size" | "progress">,
  ): AsyncGenerator<TextEvent>;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Statistics of the last call. */
  stats(): TextStats | undefined;
  /** Releases the model. */
  dispose(): void;
}

/** Opens text to text with an encoder-decoder. Throws InputError for other models, and all that `load` throws. */
export function text2text(source: CheckpointLike, options?: LoadOptions): Promise<TextTask> {
  return open("text2text", true, source, options);
}

/**
 * Opens continuation of text with a decoder-only model. Throws InputError for other models, and all that `load` throws.
 */
export function textGeneration(source: CheckpointLike, options?: LoadOptions): Promise<TextTask> {
  return open("text-generation", false, source, options);
}

async function open(
  task: string,
  encodes: boolean,
  source: CheckpointLike,
  options: LoadOptions = {},
): Promise<TextTask> {
  const model = await load(source, options);
  try {
    if (Boolean(model.architecture.encoder) !== encodes) {
      throw new InputError(
        `${task}: the model must ${encodes ? "have an encoder" : "be decoder-only"}, got ${model.architecture.family}; use the other of text2text and text-generation`,
      );
    }
    return createTask(task, model, requireTokenizer(model.checkpoint, await model.tokenizer));
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function createTask(task: string, model: Model, tokenizer: Tokenizer): TextTask {
  let stats: TextStats | undefined;

  const batch = async (
    prompts: readonly Prompt[],
    full: boolean,
    choices: GenerateOptions & { signal?: AbortSignal },
  ): Promise<GeneratedText[][]> => {
    const inputs = generateInputs(prompts);
    const { sequences, sequences_scores, lengths, stats: done } = await model.generate(inputs, choices);
    const each = sequences.length / prompts.length;
    const width = model.architecture.encoder ? 1 : longest(inputs.input_ids);
    const { steps, ms, launches } = done;
    stats = {
      steps: (stats?.steps ?? 0) + steps,
      tokens: (stats?.tokens ?? 0) + lengths.reduce((sum, length) => sum + length - width, 0),
      timed_steps: (stats?.timed_steps ?? 0) + steps - 1,
      ms: (stats?.ms ?? 0) + ms,
      launches,
    };
    return prompts.map(({ text, ids }, b) =>
      Array.from({ length: each }, (_, rank) => {
        const row = b * each + rank;
        const begin = model.architecture.encoder ? 0 : width - ids.length; // padding precedes a shorter prompt
        const token_ids = sequences[row].slice(begin, lengths[row]);
        const score = sequences_scores?.[row];
        const generated_text = model.architecture.encoder
          ? tokenizer.decode(token_ids, { skip_special_tokens: true })
          : (full ? text : "") + continuationOf(tokenizer, ids, token_ids.slice(ids.length));
        return { generated_text, token_ids, ...(score !== undefined && { score }) };
      }),
    );
  };

  const readPrompts = (input: string | readonly string[], allowUnknown: boolean): Prompt[] =>
    readInputs(task, input, (text) => readPrompt(model, tokenizer, checkText(text), allowUnknown));

  async function call(text: string, options?: TextOptions): Promise<GeneratedText[]>;
  async function call(texts: readonly string[], options?: TextOptions): Promise<GeneratedText[][]>;
  async function call(
    input: string | readonly string[],
    options: TextOptions = {},
  ): Promise<GeneratedText[] | GeneratedText[][]> {
    checkObject(OptionError, task, options);
    const { batch_size = 64, allow_unknown = false, return_full_text = true, progress, ...choices } = options;
    checkOption(task, "batch_size", batch_size, wholeNumber(1));
    checkOption(task, "allow_unknown", allow_unknown, FLAG);
    checkOption(task, "return_full_text", return_full_text, FLAG);
    checkOption(task, "progress", progress, CALLBACK);
    const prompts = readPrompts(input, allow_unknown);
    const order = prompts.map((_, index) => index).sort((x, y) => prompts[y].ids.length - prompts[x].ids.length);
    const results: GeneratedText[][] = [];
    stats = undefined;
    for (let first = 0; first < order.length; first += batch_size) {
      const chosen = order.slice(first, first + batch_size);
      const generated = await batch(
        chosen.map((index) => prompts[index]),
        return_full_text,
        choices,
      );
      chosen.forEach((index, at) => (results[index] = generated[at]));
      progress?.({ status: "progress", loaded: Math.min(order.length, first + batch_size), total: order.length });
    }
    return Array.isArray(input) ? results : results[0];
  }

  async function* stream(
    input: string | readonly string[],
    options: Omit<TextOptions, "batch_size" | "progress"> = {},
  ): AsyncGenerator<TextEvent> {
    checkObject(OptionError, task, options);
    const { allow_unknown = false, return_full_text: _, ...choices } = options;
    checkOption(task, "allow_unknown", allow_unknown, FLAG);
    const inputs = generateInputs(readPrompts(input, allow_unknown));
    for await (const { row, token_ids, text = "" } of model.stream(inputs, choices)) yield { row, token_ids, text };
  }

  const dispose = (): void => model.dispose();
  return Object.assign(call, {
    model,
    tokenizer,
    stream,
    stats: () => stats,
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  });
}
