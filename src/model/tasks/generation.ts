import { CALLBACK, checkOption } from "../../runtime/checks.js";
import { InputError, OptionError, show } from "../../runtime/errors.js";
import { type CheckpointLike, openCheckpoint } from "../checkpoint/checkpoint.js";
import type { GenerateStats } from "../decode/generate.js";
import type { StepHook } from "../decode/search_step.js";
import { describeCheckpoint } from "../families/index.js";
import { longest } from "../inputs.js";
import { load, type LoadOptions } from "../load.js";
import { checkLoadOptions } from "../load_options.js";
import type { CallOptions } from "../model.js";
import { requireTokenizer } from "../text/checks.js";
import { type Conversation, isConversation } from "../text/messages.js";
import { type ChatOptions, createChat } from "./chat.js";
import { defaultTask } from "./default_task.js";
import { resultsOf, type TaskParts, type TextChoices } from "./generated.js";
import { checkTextOptions, createReader } from "./reader.js";
import { streamTexts } from "./streamed.js";
import { withTaskParams } from "./task_defaults.js";
import type { Prompt } from "./text_inputs.js";
import type {
  GeneratedText,
  GenerationTask,
  TextEvent,
  TextName,
  TextOptions,
  TextStats,
  TextTask,
} from "./text_task.js";

/** Opens text to text with an encoder-decoder. Throws InputError for other models, and all that `load` throws. */
export const text2text = opener("text2text", true, (parts) => createTask(parts, "generated_text"));

/**
 * Opens translation with an encoder-decoder; its parameters are those of `name`, such as translation_en_to_de, in
 * `task_specific_params` of config.json. Throws as `text2text` does.
 */
export const translation = opener("translation", true, (parts) => createTask(parts, "translation_text"));

/** Opens summarization with an encoder-decoder. Throws as `text2text` does. */
export const summarization = opener("summarization", true, (parts) => createTask(parts, "summary_text"));

/**
 * Opens continuation of texts, and replies in conversations, with a decoder-only model. Throws InputError for other models,
 * and all that `load` throws.
 */
export const textGeneration = opener("text-generation", false, (parts): GenerationTask =>
  Object.assign(createTask<"generated_text", string | Conversation>(parts, "generated_text"), {
    chat: (options: ChatOptions = {}) => createChat(parts, options),
  }),
);

function opener<Task>(kind: string, encodes: boolean, create: (parts: TaskParts) => Task) {
  return async (source: CheckpointLike, options: LoadOptions = {}, name = kind): Promise<Task> => {
    checkLoadOptions(options);
    const opened = await openCheckpoint(source, options);
    const { family, encoder, decoder, head } = (await describeCheckpoint(opened)).architecture;
    if (!decoder || head || Boolean(encoder) !== encodes)
      throw new InputError(
        `${name}: the model must ${decoder && head ? "write text" : encodes ? "have an encoder" : "be decoder-only"}, got ${decoder && head ? show(opened.config.architectures) : family}; use pipeline(${show(await defaultTask(opened))}, ...)`,
      );
    const model = await load(withTaskParams(opened, name), options);
    try {
      return create({ name, model, tokenizer: requireTokenizer(model.checkpoint, await model.tokenizer) });
    } catch (error) {
      model.dispose();
      throw error;
    }
  };
}

function createTask<Name extends TextName, Input extends string | Conversation = string>(
  parts: TaskParts,
  textName: Name,
): TextTask<Name, Input> {
  const { name: task, model, tokenizer } = parts;
  const { encoder, family } = model.architecture;
  const { read, callOf } = createReader(parts);
  let stats: TextStats | undefined;

  const batch = async (
    prompts: readonly Prompt[],
    choices: CallOptions,
    written: TextChoices,
  ): Promise<GeneratedText<Name, unknown>[][]> => {
    const { inputs, options, given } = callOf(prompts, choices);
    const result = await model.generate(inputs, options);
    const width = longest(given);
    const tokens = result.lengths.reduce((sum, length) => sum + length - width, 0);
    stats = added(stats, result.stats, tokens);
    return resultsOf(parts, textName, prompts, given, result, written);
  };

  const call = async (input: unknown, options: TextOptions = {}): Promise<unknown> => {
    checkTextOptions(task, options);
    const { batch_size = 64, return_full_text = true, return_alignments = false, progress, ...others } = options;
    const { clean_up_tokenization_spaces, ...rest } = others;
    checkOption(task, "progress", progress, CALLBACK);
    const [stray, cause] = encoder
      ? (["return_full_text", "an encoder"] as const)
      : (["clean_up_tokenization_spaces", "no encoder"] as const);
    if (options[stray] !== undefined)
      throw new OptionError(`${task}: ${stray} must be absent, ${family} has ${cause}; leave it out`);
    const { prompts, choices } = await read(input, rest);
    const own = { ...choices, ...(return_alignments && { output_attentions: true }) };
    const written = { return_full_text, clean_up_tokenization_spaces };
    const order = prompts.map((_, index) => index).sort((x, y) => prompts[y].ids.length - prompts[x].ids.length);
    const results: GeneratedText<Name, unknown>[][] = [];
    stats = undefined;
    for (let first = 0; first < order.length; first += batch_size) {
      const chosen = order.slice(first, first + batch_size);
      const here = chosen.map((index) => prompts[index]);
      const generated = await batch(here, { ...own, onStep: placed(choices.onStep, chosen) }, written);
      chosen.forEach((index, at) => (results[index] = generated[at]));
      progress?.({ status: "progress", loaded: Math.min(order.length, first + batch_size), total: order.length });
    }
    return Array.isArray(input) && !isConversation(input) ? results : results[0];
  };

  async function* stream(input: unknown, options: TextOptions = {}): AsyncGenerator<TextEvent> {
    checkTextOptions(task, options);
    const { return_full_text: _, ...rest } = options;
    const { prompts, choices } = await read(input, rest);
    yield* streamTexts(parts, prompts, callOf(prompts, choices));
  }

  const dispose = (): void => model.dispose();
  return Object.assign(call as TextTask<Name, Input>, {
    model,
    tokenizer,
    stream,
    stats: () => stats,
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  });
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
