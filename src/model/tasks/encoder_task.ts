import { checkOptions, type Rule, wholeNumber } from "../../runtime/checks.js";
import { CheckpointError, InputError } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import { type EncodeHooks, encodeAll } from "../encode/batches.js";
import type { Wanted } from "../encode/prepared_batch.js";
import type { Stack } from "../graph/architecture.js";
import { load, type LoadOptions } from "../load.js";
import type { SequenceResults } from "../results.js";
import type { Model } from "../model.js";
import type { Encoding } from "../text/encoding.js";
import { checkText, requireTokenizer } from "../text/checks.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { ENCODING_RULES, HOOKS } from "./option_rules.js";
import { checkLength, readInputs } from "./text_inputs.js";

/** A text, or two that belong together. */
export type TextInput = string | { readonly text: string; readonly text_pair?: string };

/** Options of all tasks on encoders. */
export interface EncodingOptions extends EncodeHooks {
  /** Shorten texts that are too long, and say so in their results; if false, they throw InputError. Default true. */
  readonly truncation?: boolean;
  /** Most tokens of a sequence, including special tokens. Default: what model and tokenizer allow. */
  readonly max_length?: number;
}

/** What tokenising a text lost. */
export interface Reading {
  /** Number of tokens left out because the sequence was too long. */
  readonly truncated: number;
  /** Number of tokens that stand for text outside the vocabulary. */
  readonly unknown: number;
}

/** A text, or two that belong together. */
export interface Texts {
  readonly text: string;
  readonly text_pair?: string;
}

/** The texts of an input that may be a pair. Throws InputError for anything else. */
export function textsOf(input: TextInput): Texts {
  if (typeof input !== "object" || input === null) return { text: checkText(input) };
  const strange = Object.keys(input).find((name) => name !== "text" && name !== "text_pair");
  if (strange) throw new InputError(`text: must be a string or { text, text_pair }, got ${strange}`);
  const { text, text_pair } = input;
  return { text: checkText(text), ...(text_pair !== undefined && { text_pair: checkText(text_pair, "text_pair") }) };
}

/** A task on an encoder. Called with one input, it gives one result; with a list, a list in the same order. */
export interface EncoderTask<Input, Options, Result> extends AsyncDisposable {
  /** The result of an input, or of each of a list. */
  (input: Input, options?: Options): Promise<Result>;
  /** The result of an input, or of each of a list. */
  (inputs: readonly Input[], options?: Options): Promise<Result[]>;
  /** The model. */
  readonly model: Model;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Releases the model. */
  dispose(): void;
}

interface TaskDefinition<Input, Options, Result> {
  readonly name: string;
  /** The options that only this task has. */
  readonly options: Readonly<Record<string, Rule>>;
  /** Throws CheckpointError when the model is not one for the task. */
  check?(model: Model): void;
  /** What the task needs from the encoder. Throws OptionError for bad options. */
  wanted(model: Model, options: Options): Wanted;
  /** The text or texts of an input. Throws InputError for a bad one. */
  texts(input: Input, options: Options): Texts;
  /** Makes the result of an input. */
  result(encoded: SequenceResults, read: Encoding, input: Input, options: Options): Result;
  /** The most tokens of a sequence, if the checkpoint says so for this task. */
  readonly longest?: number;
}

/**
 * Opens a task; `define` may read more of the checkpoint. Throws CheckpointError for a wrong model, and all that `load`
 * throws.
 */
export async function openEncoderTask<Input, Options extends EncodingOptions, Result>(
  source: CheckpointLike,
  options: LoadOptions,
  define: (model: Model) => Promise<TaskDefinition<Input, Options, Result>>,
): Promise<EncoderTask<Input, Options, Result>> {
  const model = await load(source, options);
  try {
    const task = await define(model);
    if (!model.architecture.encoder || model.architecture.decoder)
      throw new CheckpointError(
        `${task.name}: the model must be an encoder without a decoder, got ${model.architecture.family}; use text2text or text-generation`,
      );
    task.check?.(model);
    return createTask(task, model, requireTokenizer(model.checkpoint, await model.tokenizer));
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function createTask<Input, Options extends EncodingOptions, Result>(
  task: TaskDefinition<Input, Options, Result>,
  model: Model,
  tokenizer: Tokenizer,
): EncoderTask<Input, Options, Result> {
  const { P, segments } = model.architecture.encoder as Stack;
  const known = { ...task.options, ...HOOKS, ...ENCODING_RULES, max_length: wholeNumber(1, P) };
  const allowed = Math.min(P, tokenizer.model_max_length ?? Infinity, task.longest ?? Infinity);
  const run = async (input: Input | readonly Input[], options: Options): Promise<Result[]> => {
    checkOptions(task.name, options, known);
    const { truncation = true, max_length = allowed, signal, progress, batch_tokens } = options;
    const wanted = task.wanted(model, options);
    const read = readInputs(task.name, input, (one) => ({
      input: one,
      encoding: readTexts(tokenizer, task.texts(one, options), max_length, truncation),
    }));
    const rows = read.map(({ encoding }) => ({
      ids: encoding.ids,
      segments: segmentsOf(encoding, tokenizer, segments),
    }));
    const encoded = await model.run((core) => encodeAll(core, rows, wanted, { signal, progress, batch_tokens }));
    return encoded.map((one, index) => task.result(one, read[index].encoding, read[index].input, options));
  };
  const call = async (input: Input | readonly Input[], options: Options = {} as Options): Promise<Result | Result[]> =>
    Array.isArray(input) ? run(input, options) : (await run(input, options))[0];
  const dispose = (): void => model.dispose();
  return Object.assign(call as EncoderTask<Input, Options, Result>, {
    model,
    tokenizer,
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  });
}

/** The tokens of a text or a pair, shortened to `limit` if allowed. */
function readTexts(tokenizer: Tokenizer, { text, text_pair }: Texts, limit: number, truncation: boolean): Encoding {
  const encoding = tokenizer.encode(text, { text_pair, max_length: truncation ? limit : undefined });
  const { length } = encoding.ids;
  checkLength("text", length, limit, "pass truncation: true");
  if (length === 0) throw new InputError("text: must give at least one token, it gives none");
  return encoding;
}

/** The segments of tokens, if the model has them all and takes them. */
function segmentsOf(
  { token_type_ids }: Encoding,
  { model_input_names: names }: Tokenizer,
  segments = 0,
): readonly number[] | undefined {
  const given = !names || names.includes("token_type_ids");
  return given && token_type_ids.every((segment) => segment < segments) ? token_type_ids : undefined;
}

/** The softmax of a row of logits, or the sigmoid of each. */
export function probabilities(logits: ArrayLike<number>, kind: "softmax" | "sigmoid"): number[] {
  const values = Array.from(logits);
  if (kind === "sigmoid") return values.map((value) => 1 / (1 + Math.exp(-value)));
  const top = Math.max(...values);
  const weights = values.map((value) => Math.exp(value - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
