import { checkNames, checkOption } from "../../runtime/checks.js";
import { OptionError, show } from "../../runtime/errors.js";
import { GENERATE_OPTIONS } from "../decode/option_checks.js";
import { longest } from "../inputs.js";
import type { CallOptions } from "../model.js";
import { CHAT_RULES } from "../text/chat_rules.js";
import type { ChatTemplateOptions } from "../text/chat_template.js";
import { checkText } from "../text/checks.js";
import { checkConversation, isConversation } from "../text/messages.js";
import { createDirections } from "./directions.js";
import type { TaskParts } from "./generated.js";
import { HOOKS, TEXT_RULES } from "./option_rules.js";
import type { TextCall } from "./streamed.js";
import { type Beginning, inputError, type Prompt, type ReadOptions, readPrompt } from "./text_inputs.js";
import type { TextOptions } from "./text_task.js";

/** Turns texts and options of a task into what `generate()` takes. */
export interface Reader {
  /**
   * The prompts of texts or conversations, and the options that are not about them. Rejects with InputError and
   * OptionError.
   */
  read(input: unknown, options: TextOptions): Promise<{ prompts: Prompt[]; choices: CallOptions }>;
  /** A call of `generate()`; each result begins with the tokens `given` of its prompt. */
  callOf(prompts: readonly Prompt[], choices: CallOptions): TextCall;
}

const RULES = { ...TEXT_RULES, ...CHAT_RULES };
// The names of all options of a task, of which a stream takes fewer.
const OPTIONS: readonly string[] = [...GENERATE_OPTIONS, ...Object.keys({ ...RULES, ...HOOKS }), "onStep"];

const REPLY_TOKENS = 256;

const CURES: Readonly<Record<string, string>> = {
  decoder_input_ids: "target_prefix begins the results",
  messages: "give them in place of a text",
  enable_thinking: "pass chat_template_kwargs: { enable_thinking }",
};

/**
 * Throws OptionError for an option that tasks of texts have not, but for those of the names `also`, or one about texts that
 * breaks its rule.
 */
export function checkTextOptions(task: string, options: TextOptions, also: readonly string[] = []): void {
  checkNames(OptionError, task, options, [...OPTIONS, ...also], CURES);
  for (const [name, rule] of Object.entries(RULES)) checkOption(task, name, options[name as keyof TextOptions], rule);
}

/** The reader of a task. Options that name languages or beginnings of results are for models with an encoder. */
export function createReader({ name: task, model, tokenizer }: TaskParts): Reader {
  const { encoder, family } = model.architecture;
  const directions = encoder && createDirections(task, model, tokenizer);
  const defaults = model.generationDefaults.options;

  const read: Reader["read"] = async (input, options) => {
    const { allow_unknown = false, truncation = false, src_lang, tgt_lang, prefix, ...others } = options;
    const { target_prefix, ...more } = others;
    const [about, choices] = chatOptions(more);
    const own = { src_lang, tgt_lang, prefix };
    const stray = Object.entries({ ...own, target_prefix }).find(([, value]) => value !== undefined)?.[0];
    if (!directions && stray)
      throw new OptionError(`${task}: ${stray} must be absent, ${family} has no encoder; leave it out`);
    const isList = Array.isArray(input) && !isConversation(input);
    const list: readonly unknown[] = isList ? Array.from<unknown>(input) : [input];
    const hasChats = !directions && list.some((one) => Array.isArray(one));
    checkAbout(about, hasChats, truncation);
    const begun = prefixesOf(task, target_prefix, list.length);
    const each = directions?.read(list.length, own) ?? [];
    checkTargets(choices, each[0]?.target !== undefined);
    const prompts: Prompt[] = [];
    for (const [index, one] of list.entries()) {
      const how = { allow_unknown, truncation, direction: each[index], target_prefix: begun[index] };
      try {
        const isChat = hasChats && Array.isArray(one);
        prompts.push(isChat ? await readChat(one, about, how) : readPrompt(model, tokenizer, checkText(one), how));
      } catch (error) {
        throw inputError(task, error, isList ? index : undefined);
      }
    }
    return { prompts, choices };
  };

  /** The prompt of a conversation: as in Transformers, a message of the assistant at its end is continued. */
  const readChat = async (given: unknown, about: ChatTemplateOptions, how: ReadOptions): Promise<Prompt> => {
    const messages = checkConversation(given);
    const isReply = messages[messages.length - 1].role === "assistant";
    const { add_generation_prompt, continue_final_message = !add_generation_prompt && isReply } = about;
    const continues = continue_final_message !== false;
    const end = { continue_final_message, add_generation_prompt: add_generation_prompt ?? !continues };
    const text = await tokenizer.apply_chat_template(messages, { ...about, ...end });
    return { ...readPrompt(model, tokenizer, text, { ...how, is_complete: true }), messages, continues };
  };

  /** Throws OptionError for options about conversations without any, or about texts with one. */
  const checkAbout = (about: ChatTemplateOptions, hasChats: boolean, truncation: boolean): void => {
    const [stray] = Object.keys(about);
    if (stray && !hasChats)
      throw new OptionError(`${task}: ${stray} must be absent with texts, it is about messages; leave it out`);
    if (truncation && hasChats)
      throw new OptionError(`${task}: truncation must be false with messages; leave the oldest messages out`);
  };

  /** Throws OptionError for first tokens of each text: these come with languages, and texts are sorted. */
  const checkTargets = (choices: CallOptions, hasTargets: boolean): void => {
    for (const name of ["forced_bos_token_id", "decoder_start_token_id"] as const) {
      const value = choices[name] ?? undefined;
      if (value !== undefined && hasTargets && name === directions?.option)
        throw new OptionError(`${task}: ${name} must be absent with tgt_lang, which sets it; give one of them`);
      if (value !== undefined && typeof value !== "number")
        throw new OptionError(`${task}: ${name} must be one id; tgt_lang takes a language for each text`);
    }
  };

  /** How long replies may be where nobody says it: as in the pipeline of Transformers, or as there are positions. */
  const replyLength = (prompts: readonly Prompt[], choices: CallOptions): CallOptions => {
    const said = [choices, defaults].some(
      ({ max_new_tokens, max_length }) => (max_new_tokens ?? max_length ?? undefined) !== undefined,
    );
    if (said || !prompts.some(({ messages }) => messages)) return {};
    const room = model.architecture.decoder ? model.architecture.decoder.P + 1 : Infinity;
    return { max_new_tokens: Math.max(1, Math.min(REPLY_TOKENS, room - longest(prompts.map(({ ids }) => ids)))) };
  };

  const callOf: Reader["callOf"] = (prompts, choices) => {
    const input_ids = prompts.map(({ ids }) => ids);
    // Every token of a text counts, the padding token too.
    const inputs = { input_ids, attention_mask: input_ids.map((ids) => ids.map(() => 1)) };
    if (!directions) return { inputs, options: { ...choices, ...replyLength(prompts, choices) }, given: input_ids };
    const targets = prompts.flatMap(({ target }) => target ?? []);
    const options = { ...choices, ...(targets.length && { [directions.option]: targets }) };
    const first = (name: "forced_bos_token_id" | "decoder_start_token_id" | "bos_token_id", b: number): number[] => {
      const ids = options[name] === undefined ? defaults[name] : options[name];
      return typeof ids === "number" ? [ids] : ids ? [Number(ids[b])] : [];
    };
    const starts = prompts.map((_, b) =>
      [...first("decoder_start_token_id", b), ...first("bos_token_id", b)].slice(0, 1),
    );
    if (!choices.return_alternatives && prompts.every(({ begun }) => begun === undefined))
      return { inputs, options, given: starts };
    const given = prompts.map(({ begun = [] }, b) => [...starts[b], ...first("forced_bos_token_id", b), ...begun]);
    return { inputs: { ...inputs, decoder_input_ids: given }, options, given };
  };
  return { read, callOf };
}

/** The options about conversations, and the others. */
function chatOptions(options: CallOptions & ChatTemplateOptions): [ChatTemplateOptions, CallOptions] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const isAbout = ([name]: readonly [string, unknown]): boolean => Object.hasOwn(CHAT_RULES, name);
  return [Object.fromEntries(given.filter(isAbout)), Object.fromEntries(given.filter((one) => !isAbout(one)))];
}

/** Whether a value is a list of token ids. */
const isIds = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && Array.from<unknown>(value).every(Number.isInteger);

/** What the result of each text must begin with; nothing where it is not said. Throws OptionError. */
function prefixesOf(task: string, value: TextOptions["target_prefix"], count: number): readonly Beginning[] {
  if (value === undefined) return [];
  const list: readonly unknown[] =
    Array.isArray(value) && !isIds(value) ? Array.from<unknown>(value) : Array<unknown>(count).fill(value);
  const isBeginning = (one: unknown): one is Beginning => typeof one === "string" || isIds(one);
  if (list.length === count && list.every(isBeginning)) return list;
  throw new OptionError(
    `${task}: target_prefix must be a text or token ids, or a list of such for each of the ${count} texts, got ${show(value)}`,
  );
}
