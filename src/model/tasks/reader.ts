import { checkNames } from "../../runtime/checks.js";
import { OptionError, show } from "../../runtime/errors.js";
import type { GenerateInputs } from "../decode/job.js";
import { GENERATE_OPTIONS } from "../decode/option_checks.js";
import type { TokenLists } from "../inputs.js";
import type { CallOptions, Model } from "../model.js";
import { checkText } from "../text/checks.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { createDirections } from "./directions.js";
import { HOOKS, TEXT_RULES } from "./option_rules.js";
import { type Beginning, type Prompt, readInputs, readPrompt } from "./text_inputs.js";
import type { TextOptions } from "./text_task.js";

/** Turns texts and options of a task into what `generate()` takes. */
export interface Reader {
  /** The prompts of texts, and the options that are not about texts. Throws InputError and OptionError. */
  read(input: string | readonly string[], options: TextOptions): { prompts: Prompt[]; choices: CallOptions };
  /** A call of `generate()`; each result begins with the tokens `given` of its prompt. */
  callOf(prompts: readonly Prompt[], choices: CallOptions): Call;
}

interface Call {
  readonly inputs: GenerateInputs;
  readonly options: CallOptions;
  readonly given: TokenLists;
}

// The names of all options of a task, of which a stream takes fewer.
const OPTIONS: readonly (keyof TextOptions)[] = [
  ...(GENERATE_OPTIONS as (keyof TextOptions)[]),
  ...(Object.keys({ ...TEXT_RULES, ...HOOKS }) as (keyof TextOptions)[]),
  "onStep",
];

const CURES: Readonly<Record<string, string>> = { decoder_input_ids: "target_prefix begins the results" };

/** The reader of a task. Options that name languages or beginnings of results are for models with an encoder. */
export function createReader(task: string, model: Model, tokenizer: Tokenizer): Reader {
  const { encoder, family } = model.architecture;
  const directions = encoder && createDirections(task, model, tokenizer);
  const defaults = model.generationDefaults.options;

  const read: Reader["read"] = (input, options) => {
    checkNames(OptionError, task, options, OPTIONS, CURES);
    const {
      allow_unknown = false,
      truncation = false,
      src_lang,
      tgt_lang,
      prefix,
      target_prefix,
      ...choices
    } = options;
    const own = { src_lang, tgt_lang, prefix };
    const stray = Object.entries({ ...own, target_prefix }).find(([, value]) => value !== undefined)?.[0];
    if (!directions && stray)
      throw new OptionError(`${task}: ${stray} must be absent, ${family} has no encoder; leave it out`);
    const count = Array.isArray(input) ? input.length : 1;
    const begun = prefixesOf(task, target_prefix, count);
    const each = directions?.read(count, own) ?? [];
    checkTargets(choices, each[0]?.target !== undefined);
    const prompts = readInputs(task, input, (text, index) => {
      const how = { allow_unknown, truncation, direction: each[index], target_prefix: begun[index] };
      return readPrompt(model, tokenizer, checkText(text), how);
    });
    return { prompts, choices };
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

  const callOf: Reader["callOf"] = (prompts, choices) => {
    const input_ids = prompts.map(({ ids }) => ids);
    // Every token of a text counts, the padding token too.
    const inputs = { input_ids, attention_mask: input_ids.map((ids) => ids.map(() => 1)) };
    if (!directions) return { inputs, options: choices, given: input_ids };
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
