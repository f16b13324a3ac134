import { checkOptions, wholeNumber } from "../../runtime/checks.js";
import { CheckpointError, InputError, show } from "../../runtime/errors.js";
import { type CheckpointLike, openCheckpoint } from "../checkpoint/checkpoint.js";
import { type EncodeHooks, encodeAll } from "../encode/batches.js";
import type { Wanted } from "../encode/prepared_batch.js";
import { describeCheckpoint } from "../families/index.js";
import type { Architecture, Stack } from "../graph/architecture.js";
import type { Beside } from "../inputs.js";
import { load, type LoadOptions } from "../load.js";
import { checkLoadOptions } from "../load_options.js";
import type { SequenceResults } from "../results.js";
import type { Model } from "../model.js";
import type { Encoding } from "../text/encoding.js";
import { checkText, requireTokenizer } from "../text/checks.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { defaultTask } from "./default_task.js";
import { ENCODING_RULES, HOOKS, type Rules } from "./option_rules.js";
import { checkLength, readInputs } from "./text_inputs.js";

/** A text, or two that belong together. */
export type TextInput = string | { readonly text: string; readonly text_pair?: string };

/** Options of all tasks on encoders. */
export interface EncodingOptions extends EncodeHooks {
  /**
   * Shorten texts that are too long; if false, they throw InputError. Default true where results say how much was left
   * out, else false.
   */
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

/** What tasks consist of. */
export interface TaskParts extends AsyncDisposable {
  /** The model. */
  readonly model: Model;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** Releases the model. */
  dispose(): void;
}

/** A task on an encoder. Called with one input, it gives one result; with a list, a list in the same order. */
export interface EncoderTask<Input, Options, Result> extends TaskParts {
  /** The result of an input, or of each of a list. */
  <I extends Input | readonly Input[]>(
    input: I,
    options?: Options,
  ): Promise<I extends readonly unknown[] ? Result[] : Result>;
}

/** A sequence of a task: its tokens, and which of them are pooled if these are not all. */
export interface Sequence {
  readonly encoding: Encoding;
  readonly pooled?: Beside["pooled"];
}

/** A sequence and what the model makes of it. */
export interface EncodedSequence extends Sequence {
  readonly results: SequenceResults;
}

interface TaskDefinition<Input, Options, Result> {
  /** The options that only this task has. */
  readonly options: Rules;
  /** What the task needs from the model. Throws OptionError for bad options. */
  wanted(options: Options): Wanted;
  /** The sequences of an input; `encode` shortens texts if allowed. Throws InputError for a bad one. */
  read(input: Input, options: Options, encode: (texts: Texts) => Encoding): readonly Sequence[];
  /** Makes the result of an input of its sequences. */
  result(sequences: readonly EncodedSequence[], input: Input, options: Options): Result;
  /** The most tokens of a sequence, if the checkpoint says so for this task. */
  readonly longest?: number;
  /** Whether texts are shortened by default, where results can say so; absent if they never are. */
  readonly truncation?: boolean;
}

/** Which models a task takes. */
export interface TaskKind {
  readonly name: string;
  /** What a model must have been saved with, for messages. */
  readonly needs: string;
  takes(architecture: Architecture): boolean;
}

/**
 * Opens a task; `define` may read more of the checkpoint. Throws CheckpointError for a wrong model, before its weights are
 * read, and all that `load` throws.
 */
export async function openEncoderTask<Input, Options extends EncodingOptions, Result>(
  { name, needs, takes }: TaskKind,
  source: CheckpointLike,
  options: LoadOptions,
  define: (
    model: Model,
    tokenizer: Tokenizer,
  ) => TaskDefinition<Input, Options, Result> | Promise<TaskDefinition<Input, Options, Result>>,
): Promise<EncoderTask<Input, Options, Result>> {
  checkLoadOptions(options);
  const checkpoint = await openCheckpoint(source, options);
  const { architecture } = await describeCheckpoint(checkpoint);
  if (!takes(architecture))
    throw new CheckpointError(
      `${name}: the model must have been saved with ${needs}, got ${show(checkpoint.config.architectures)} of ${architecture.family}; it is for ${await defaultTask(checkpoint)}`,
    );
  const model = await load(checkpoint, options);
  try {
    const tokenizer = requireTokenizer(model.checkpoint, await model.tokenizer);
    return createTask(name, await define(model, tokenizer), model, tokenizer);
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function createTask<Input, Options extends EncodingOptions, Result>(
  name: string,
  task: TaskDefinition<Input, Options, Result>,
  model: Model,
  tokenizer: Tokenizer,
): EncoderTask<Input, Options, Result> {
  const { encoder, decoder } = model.architecture;
  const { P, segments } = (encoder ?? decoder) as Stack;
  const { batch_tokens: size, ...lengths } = ENCODING_RULES;
  const shortening = task.truncation === undefined ? {} : { ...lengths, max_length: wholeNumber(1, P) };
  const known = { ...task.options, ...HOOKS, batch_tokens: size, ...shortening };
  const allowed = Math.min(P, tokenizer.model_max_length ?? Infinity, task.longest ?? Infinity);
  const run = async (input: Input | readonly Input[], options: Options): Promise<Result[]> => {
    checkOptions(name, options, known);
    const { truncation = task.truncation, max_length = allowed, signal, progress, batch_tokens } = options;
    const wanted = task.wanted(options);
    const encode = (texts: Texts): Encoding => readTexts(tokenizer, texts, max_length, truncation ?? false);
    const inputs = readInputs(name, input, (one) => ({ one, sequences: task.read(one, options, encode) }));
    const rows = inputs.flatMap(({ sequences }) =>
      sequences.map(({ encoding, pooled }) => ({
        ids: encoding.ids,
        segments: segmentsOf(encoding, tokenizer, segments),
        ...(pooled && { pooled }),
      })),
    );
    const results = await model.run((core) => encodeAll(core, rows, wanted, { signal, progress, batch_tokens }));
    let at = 0;
    return inputs.map(({ one, sequences }) => {
      const encoded = sequences.map((sequence) => ({ ...sequence, results: results[at++] }));
      return task.result(encoded, one, options);
    });
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

/** What results say of how their texts were read. */
export const readingOf = ({ truncated, unknown }: Encoding): Reading => ({ truncated, unknown });

/** Whether a model has states of tokens that see all others, or those before them. */
export const givesStates = ({ encoder, decoder }: Architecture): boolean => !(encoder && decoder);

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
