import { CALLBACK, checkObject, checkOption } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import { type CheckpointLike, openCheckpoint } from "../checkpoint/checkpoint.js";
import type { GenerateStats } from "../decode/generate.js";
import type { StepHook } from "../decode/search_step.js";
import { longest } from "../inputs.js";
import { load, type LoadOptions } from "../load.js";
import type { CallOptions, Model } from "../model.js";
import { continuationOf } from "../text/detokenizer.js";
import { requireTokenizer } from "../text/checks.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { alignmentsOf } from "./alignments.js";
import { TEXT_RULES } from "./option_rules.js";
import { createReader } from "./reader.js";
import { withTaskParams } from "./task_defaults.js";
import type { Prompt } from "./text_inputs.js";
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
    const opened = await openCheckpoint(source, options);
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
  readonly return_alignments: boolean;
  readonly clean_up_tokenization_spaces?: boolean;
}

function createTask<Name extends TextName>(
  task: string,
  textName: Name,
  model: Model,
  tokenizer: Tokenizer,
): TextTask<Name> {
  const { encoder, family } = model.architecture;
  const { read, callOf } = createReader(task, model, tokenizer);
  let stats: TextStats | undefined;

  const batch = async (
    prompts: readonly Prompt[],
    { return_full_text, return_alignments, ...clean }: TaskChoices,
    choices: CallOptions,
  ): Promise<GeneratedText<Name>[][]> => {
    const { inputs, options, given } = callOf(prompts, choices);
    const all = return_alignments ? { ...options, output_attentions: true } : options;
    const { sequences, sequences_scores, lengths, alternatives, ...result } = await model.generate(inputs, all);
    const width = longest(given);
    stats = added(
      stats,
      result.stats,
      lengths.reduce((sum, length) => sum + length - width, 0),
    );
    const resultOf = (prompt: Prompt, { length }: readonly number[], row: number): GeneratedText<Name> => {
      const { text, truncated } = prompt;
      const token_ids = sequences[row].slice(width - length, lengths[row]); // padding precedes what was given
      const score = sequences_scores?.[row];
      const generated = encoder
        ? tokenizer.decode(token_ids, { skip_special_tokens: true, ...clean })
        : (return_full_text ? text : "") +
          continuationOf(tokenizer, token_ids.slice(0, length), token_ids.slice(length));
      const weights = result.cross_attentions;
      return {
        ...({ [textName]: generated } as Readonly<Record<Name, string>>),
        token_ids,
        ...(score !== undefined && { score }),
        ...(result.token_scores && { logprobs: result.token_scores[row] }),
        ...(result.top_logprobs && { top_logprobs: result.top_logprobs[row] }),
        ...(weights && { alignments: alignmentsOf(weights, row, token_ids.slice(length), prompt, tokenizer) }),
        ...(truncated !== undefined && { truncated }),
      };
    };
    let row = 0;
    return prompts.map((prompt, b) =>
      Array.from({ length: alternatives?.[b] ?? sequences.length / prompts.length }, () =>
        resultOf(prompt, given[b], row++),
      ),
    );
  };

  async function call(text: string, options?: TextOptions): Promise<GeneratedText<Name>[]>;
  async function call(texts: readonly string[], options?: TextOptions): Promise<GeneratedText<Name>[][]>;
  async function call(
    input: string | readonly string[],
    options: TextOptions = {},
  ): Promise<GeneratedText<Name>[] | GeneratedText<Name>[][]> {
    checkTextOptions(task, options);
    const { batch_size = 64, return_full_text = true, return_alignments = false, progress, ...others } = options;
    const { clean_up_tokenization_spaces, ...rest } = others;
    checkOption(task, "progress", progress, CALLBACK);
    const [stray, cause] = encoder
      ? (["return_full_text", "an encoder"] as const)
      : (["clean_up_tokenization_spaces", "no encoder"] as const);
    if (options[stray] !== undefined)
      throw new OptionError(`${task}: ${stray} must be absent, ${family} has ${cause}; leave it out`);
    const how = { return_full_text, return_alignments, clean_up_tokenization_spaces };
    const { prompts, choices } = read(input, rest);
    const order = prompts.map((_, index) => index).sort((x, y) => prompts[y].ids.length - prompts[x].ids.length);
    const results: GeneratedText<Name>[][] = [];
    stats = undefined;
    for (let first = 0; first < order.length; first += batch_size) {
      const chosen = order.slice(first, first + batch_size);
      const own = chosen.map((index) => prompts[index]);
      const generated = await batch(own, how, { ...choices, onStep: placed(choices.onStep, chosen) });
      chosen.forEach((index, at) => (results[index] = generated[at]));
      progress?.({ status: "progress", loaded: Math.min(order.length, first + batch_size), total: order.length });
    }
    return Array.isArray(input) ? results : results[0];
  }

  async function* stream(
    input: string | readonly string[],
    options: Parameters<TextTask["stream"]>[1] = {},
  ): AsyncGenerator<TextEvent> {
    checkTextOptions(task, options);
    const { return_full_text: _, ...rest } = options;
    const { prompts, choices } = read(input, rest);
    const { inputs, options: all } = callOf(prompts, choices);
    for await (const { text = "", ...event } of model.stream(inputs, all)) yield { ...event, text };
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

/** Throws OptionError for an option about texts that breaks its rule. */
function checkTextOptions(task: string, options: TextOptions): void {
  checkObject(OptionError, task, options);
  for (const [name, rule] of Object.entries(TEXT_RULES))
    checkOption(task, name, options[name as keyof TextOptions], rule);
}

/** A hook that is told the rows of a batch by their places in the input. */
const placed = (onStep: StepHook | undefined, rows: readonly number[]): StepHook | undefined =>
  onStep && ((step) => onStep({ ...step, sentences: step.sentences.map((one) => ({ ...one, row: rows[one.row] })) }));

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
