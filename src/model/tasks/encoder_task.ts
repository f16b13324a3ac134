import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import { type EncodeHooks, encodeAll } from "../encode/batches.js";
import type { Encoded, Wanted } from "../encode/prepared_batch.js";
import type { Stack } from "../graph/architecture.js";
import { load, type LoadOptions } from "../load.js";
import type { Model } from "../model.js";
import { type EncodedText, openTokenizer, type TextCodec } from "../text/tokenizer.js";

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

/** A text or a pair of texts as token ids. */
export interface ReadText extends Reading {
  readonly ids: readonly number[];
  /** 0 for tokens of the first text, 1 for those of the second. */
  readonly segments: readonly number[];
  /** The index in `ids` of the first token of the first text. */
  readonly first: number;
  /** How many tokens of the first text are kept. */
  readonly count: number;
  /** The first text. */
  readonly text: EncodedText;
}

/** A task on an encoder. Called with one input, it gives one result; with a list, a list in the same order. */
export interface EncoderTask<Input, Options, Result> extends AsyncDisposable {
  (input: Input, options?: Options): Promise<Result>;
  (inputs: readonly Input[], options?: Options): Promise<Result[]>;
  readonly model: Model;
  /** Releases the model. */
  dispose(): void;
}

interface TaskDefinition<Input, Options, Result> {
  readonly name: string;
  /** The options that only this task has. */
  readonly options: readonly string[];
  /** Throws CheckpointError when the model is not one for the task. */
  check?(model: Model): void;
  /** What the task needs from the encoder. Throws OptionError for bad options. */
  wanted(model: Model, options: Options): Wanted;
  /** The text or texts of an input. Throws InputError for a bad one. */
  texts(input: Input): { readonly text: string; readonly text_pair?: string };
  /** Makes the result of an input. */
  result(encoded: Encoded, read: ReadText, input: Input, options: Options): Result;
  /** The most tokens of a sequence, if the checkpoint says so for this task. */
  readonly longest?: number;
}

const COMMON = ["signal", "progress", "batch_tokens", "truncation", "max_length"];

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
    return createTask(task, model, await openTokenizer(model.checkpoint));
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function createTask<Input, Options extends EncodingOptions, Result>(
  task: TaskDefinition<Input, Options, Result>,
  model: Model,
  codec: TextCodec,
): EncoderTask<Input, Options, Result> {
  const { P } = model.architecture.encoder as Stack;
  const allowed = Math.min(P, codec.longest ?? Infinity, task.longest ?? Infinity);
  const run = async (inputs: readonly Input[], options: Options): Promise<Result[]> => {
    checkOptions(task, options, P);
    const { truncation = true, max_length = allowed, signal, progress, batch_tokens } = options;
    const texts = inputs.map((input) => readText(codec, task.texts(input), max_length, truncation));
    const wanted = task.wanted(model, options);
    const encoded = await model.run((core) => encodeAll(core, texts, wanted, { signal, progress, batch_tokens }));
    return encoded.map((one, index) => task.result(one, texts[index], inputs[index], options));
  };
  const call = async (input: Input | readonly Input[], options: Options = {} as Options): Promise<Result | Result[]> =>
    Array.isArray(input) ? run(input, options) : (await run([input as Input], options))[0];
  const dispose = (): void => model.dispose();
  return Object.assign(call as EncoderTask<Input, Options, Result>, {
    model,
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  });
}

function checkOptions(task: { name: string; options: readonly string[] }, options: EncodingOptions, P: number): void {
  const known = [...task.options, ...COMMON];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown) throw new OptionError(`${task.name}: options must be among ${known.join(", ")}, got ${unknown}`);
  const whole = (name: "max_length" | "batch_tokens", most: number): void => {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most))
      throw new OptionError(`${task.name}: ${name} must be a whole number from 1 to ${most}, got ${show(value)}`);
  };
  whole("max_length", P);
  whole("batch_tokens", 2 ** 31);
  if (options.truncation !== undefined && typeof options.truncation !== "boolean")
    throw new OptionError(`${task.name}: truncation must be true or false, got ${show(options.truncation)}`);
}

/**
 * Token ids of a text or a pair, shortened to `limit` tokens if allowed: the longer text first, as fast tokenizers do.
 */
function readText(
  codec: TextCodec,
  { text, text_pair }: { readonly text: string; readonly text_pair?: string },
  limit: number,
  truncation: boolean,
): ReadText {
  const { texts, specials } = codec.encodeParts(text, text_pair);
  const room = limit - specials.flat().length;
  const total = texts.reduce((sum, { ids }) => sum + ids.length, 0);
  if (total > room && (!truncation || room < texts.length))
    throw new InputError(
      `text: must have at most ${limit} tokens with special ones, got ${total + specials.flat().length}; shorten it${room < texts.length ? " or raise max_length" : ", or pass truncation: true"}`,
    );
  const kept = shares(
    texts.map(({ ids }) => ids.length),
    room,
  );
  const parts = texts.map(({ ids }, index) => [...specials[index], ...ids.slice(0, kept[index])]);
  const last = specials[texts.length];
  const segments = parts.flatMap((part, index) => {
    // The special tokens before the second text belong to the first.
    const closing = index ? specials[index].length : 0;
    return part.map((_, i) => (i < closing ? index - 1 : index));
  });
  return {
    ids: [...parts.flat(), ...last],
    segments: [...segments, ...last.map(() => texts.length - 1)],
    first: specials[0].length,
    count: kept[0],
    text: texts[0],
    truncated: total - kept.reduce((sum, count) => sum + count, 0),
    unknown: texts.reduce((sum, one) => sum + one.unknown, 0),
  };
}

/**
 * How many tokens to keep of each text when there is room for `room`: longest_first of tokenizers
 * (utils/truncation.rs).
 */
function shares(lengths: readonly number[], room: number): readonly number[] {
  if (lengths.reduce((sum, length) => sum + length, 0) <= room) return lengths;
  if (lengths.length === 1) return [room];
  const shorter = Math.min(...lengths);
  const most = shorter > room ? shorter : Math.max(shorter, room - shorter);
  const [low, high] = shorter + most > room ? [Math.floor(room / 2), Math.ceil(room / 2)] : [shorter, most];
  return lengths[0] <= lengths[1] ? [low, high] : [high, low];
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
