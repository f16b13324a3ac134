import { CALLBACK, checkObject, checkOption, FLAG, wholeNumber } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import { type CheckpointLike, openCheckpoint } from "../checkpoint/checkpoint.js";
import type { GenerateStats } from "../decode/generate.js";
import type { GenerateOptions } from "../decode/options.js";
import { longest } from "../inputs.js";
import { load, type LoadOptions } from "../load.js";
import type { Model } from "../model.js";
import { continuationOf } from "../text/detokenizer.js";
import { checkText, requireTokenizer, type Tokenizer } from "../text/tokenizer.js";
import { createDirections, type Direction, type DirectionOptions } from "./directions.js";
import { withTaskParams } from "./task_params.js";
import { generateInputs, type Prompt, readInputs, readPrompt } from "./text_inputs.js";
import type { GeneratedText, TextEvent, TextName, TextOptions, TextStats, TextTask } from "./text_task.js";

/** Opens text to text with an encoder-decoder. Throws InputError for other models, and all that `load` throws. */
export const text2text = opener("text2text", "generated_text", true);

/**
 * Opens translation with an encoder-decoder; its parameters are those of `name`, such as translation_en_to_de, in
 * `task_specific_params` of config.json. Throws as `text2text` does.
 */
export const translation = opener("translation", "translation_text", true);

/** Opens summarization with an encoder-decoder. Throws as `text2text` does. */
export const summarization = opener("summarization", "summary_text", true);

/**
 * Opens continuation of text with a decoder-only model. Throws InputError for other models, and all that `load` throws.
 */
export const textGeneration = opener("text-generation", "generated_text", false);

function opener<Name extends TextName>(kind: string, textName: Name, encodes: boolean) {
  return async (source: CheckpointLike, options: LoadOptions = {}, name = kind): Promise<TextTask<Name>> => {
    const opened = await openCheckpoint(source, { signal: options.signal });
    const model = await load(withTaskParams(opened, name), options);
    try {
      if (Boolean(model.architecture.encoder) !== encodes) {
        throw new InputError(
          `${name}: the model must ${encodes ? "have an encoder" : "be decoder-only"}, got ${model.architecture.family}; use the other of text2text and text-generation`,
        );
      }
      return createTask(name, textName, model, requireTokenizer(model.checkpoint, await model.tokenizer));
    } catch (error) {
      model.dispose();
      throw error;
    }
  };
}

/** What a call does not hand on to `generate()`. */
interface TaskChoices {
  readonly return_full_text: boolean;
  readonly clean_up_tokenization_spaces?: boolean;
}

function createTask<Name extends TextName>(
  task: string,
  textName: Name,
  model: Model,
  tokenizer: Tokenizer,
): TextTask<Name> {
  const { encoder } = model.architecture;
  const directions = encoder && createDirections(task, model, tokenizer);
  let stats: TextStats | undefined;

  const batch = async (
    prompts: readonly Prompt[],
    { return_full_text, ...clean }: TaskChoices,
    choices: GenerateOptions & { signal?: AbortSignal },
  ): Promise<GeneratedText<Name>[][]> => {
    const inputs = generateInputs(prompts);
    const result = await model.generate(inputs, { ...choices, ...targetsOf(prompts) });
    const { sequences, sequences_scores, lengths } = result;
    const each = sequences.length / prompts.length;
    const width = encoder ? 1 : longest(inputs.input_ids);
    stats = added(
      stats,
      result.stats,
      lengths.reduce((sum, length) => sum + length - width, 0),
    );
    return prompts.map(({ text, ids, truncated }, b) =>
      Array.from({ length: each }, (_, rank) => {
        const row = b * each + rank;
        const begin = encoder ? 0 : width - ids.length; // padding precedes a shorter prompt
        const token_ids = sequences[row].slice(begin, lengths[row]);
        const score = sequences_scores?.[row];
        const generated = encoder
          ? tokenizer.decode(token_ids, { skip_special_tokens: true, ...clean })
          : (return_full_text ? text : "") + continuationOf(tokenizer, ids, token_ids.slice(ids.length));
        const own = { [textName]: generated } as Readonly<Record<Name, string>>;
        return {
          ...own,
          token_ids,
          ...(score !== undefined && { score }),
          ...(truncated !== undefined && { truncated }),
        };
      }),
    );
  };

  /** The tokens of the target languages as an option of `generate()`. */
  const targetsOf = (prompts: readonly Prompt[]): GenerateOptions => {
    const targets = prompts.flatMap(({ target }) => target ?? []);
    return directions && targets.length ? { [directions.option]: targets } : {};
  };

  const readPrompts = (input: string | readonly string[], options: TextOptions): Prompt[] => {
    const { allow_unknown = false, truncation = false, src_lang, tgt_lang, prefix } = options;
    checkOption(task, "allow_unknown", allow_unknown, FLAG);
    checkOption(task, "truncation", truncation, FLAG);
    checkOption(task, "prefix", prefix, TEXT);
    const each = directionsOf(Array.isArray(input) ? input.length : 1, { src_lang, tgt_lang, prefix }, options);
    return readInputs(task, input, (text, index) =>
      readPrompt(model, tokenizer, checkText(text), { allow_unknown, truncation, direction: each[index] }),
    );
  };

  const directionsOf = (count: number, given: DirectionOptions, options: GenerateOptions): Direction[] => {
    const stray = Object.entries(given).find(([, value]) => value !== undefined)?.[0];
    if (!directions && stray)
      throw new OptionError(
        `${task}: ${stray} must be absent, ${model.architecture.family} has no encoder; leave it out`,
      );
    const each = directions?.read(count, given) ?? [];
    if (directions && each[0]?.target !== undefined && (options[directions.option] ?? undefined) !== undefined)
      throw new OptionError(
        `${task}: ${directions.option} must be absent with tgt_lang, which sets it; give one of them`,
      );
    return each;
  };

  async function call(text: string, options?: TextOptions): Promise<GeneratedText<Name>[]>;
  async function call(texts: readonly string[], options?: TextOptions): Promise<GeneratedText<Name>[][]>;
  async function call(
    input: string | readonly string[],
    options: TextOptions = {},
  ): Promise<GeneratedText<Name>[] | GeneratedText<Name>[][]> {
    checkObject(OptionError, task, options);
    const { batch_size = 64, return_full_text = true, clean_up_tokenization_spaces, progress, ...rest } = options;
    checkOption(task, "batch_size", batch_size, wholeNumber(1));
    checkOption(task, "return_full_text", return_full_text, FLAG);
    checkOption(task, "clean_up_tokenization_spaces", clean_up_tokenization_spaces, FLAG);
    checkOption(task, "progress", progress, CALLBACK);
    const prompts = readPrompts(input, rest);
    const choices = withoutTexts(rest);
    const order = prompts.map((_, index) => index).sort((x, y) => prompts[y].ids.length - prompts[x].ids.length);
    const results: GeneratedText<Name>[][] = [];
    stats = undefined;
    for (let first = 0; first < order.length; first += batch_size) {
      const chosen = order.slice(first, first + batch_size);
      const own = chosen.map((index) => prompts[index]);
      const generated = await batch(own, { return_full_text, clean_up_tokenization_spaces }, choices);
      chosen.forEach((index, at) => (results[index] = generated[at]));
      progress?.({ status: "progress", loaded: Math.min(order.length, first + batch_size), total: order.length });
    }
    return Array.isArray(input) ? results : results[0];
  }

  async function* stream(
    input: string | readonly string[],
    options: Parameters<TextTask["stream"]>[1] = {},
  ): AsyncGenerator<TextEvent> {
    checkObject(OptionError, task, options);
    const { return_full_text: _, ...rest } = options;
    const prompts = readPrompts(input, rest);
    const choices = { ...withoutTexts(rest), ...targetsOf(prompts) };
    for await (const { row, token_ids, text = "" } of model.stream(generateInputs(prompts), choices))
      yield { row, token_ids, text };
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

const TEXT = { words: "a text", holds: (value: unknown) => typeof value === "string" };

/** Options without those of the texts. */
function withoutTexts(options: TextOptions): GenerateOptions & { signal?: AbortSignal } {
  const { allow_unknown: _, truncation: _t, src_lang: _s, tgt_lang: _l, prefix: _p, ...choices } = options;
  return choices;
}

/** The statistics of a call after one more batch. */
function added(before: TextStats | undefined, { steps, ms, launches }: GenerateStats, tokens: number): TextStats {
  return {
    steps: (before?.steps ?? 0) + steps,
    tokens: (before?.tokens ?? 0) + tokens,
    timed_steps: (before?.timed_steps ?? 0) + steps - 1,
    ms: (before?.ms ?? 0) + ms,
    launches,
  };
}
