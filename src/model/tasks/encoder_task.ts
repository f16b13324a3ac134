import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import { type EncodeHooks, encodeAll } from "../encode/batches.js";
import type { Encoded, Wanted } from "../encode/prepared_batch.js";
import type { Stack } from "../graph/architecture.js";
import { load, type LoadOptions, type Model } from "../model.js";
import { type EncodedText, openTokenizer, type TextCodec } from "../text/tokenizer.js";

/** A text, or two that belong together. */
export type TextInput = string | { readonly text: string; readonly text_pair?: string };

export interface EncodingOptions extends EncodeHooks {
  /** Shorten texts that are too long, as each result then says; else they are refused. Default true. */
  readonly truncation?: boolean;
  /** Most tokens of a sequence, special ones included. Default: what model and tokenizer allow. */
  readonly max_length?: number;
}

/** What became of a text on its way to token ids. */
export interface Reading {
  /** Tokens left out because the sequence was too long. */
  readonly truncated: number;
  /** Tokens that stand for what the vocabulary does not know. */
  readonly unknown: number;
}

/** A sequence ready for the encoder: its ids, and which of its tokens are the text's. */
export interface ReadText extends Reading {
  readonly ids: readonly number[];
  readonly segments: readonly number[];
  /** Of the first text: its first token's index in `ids`, and how many of its tokens are there. */
  readonly first: number;
  readonly count: number;
  readonly text: EncodedText;
}

/** A task on texts by an encoder. One text gives its result, a list gives a list in the same order. */
export interface EncoderTask<Input, Options, Result> extends AsyncDisposable {
  (input: Input, options?: Options): Promise<Result>;
  (inputs: readonly Input[], options?: Options): Promise<Result[]>;
  readonly model: Model;
  dispose(): void;
}

interface TaskDefinition<Input, Options, Result> {
  readonly name: string;
  /** Options of the task's own, beside those of every encoder task. */
  readonly options: readonly string[];
  /** Throws CheckpointError when the model is not one for this task. */
  check?(model: Model): void;
  /** Throws OptionError. */
  wanted(model: Model, options: Options): Wanted;
  texts(input: Input): { readonly text: string; readonly text_pair?: string };
  result(encoded: Encoded, read: ReadText, input: Input, options: Options): Result;
  /** The most tokens of a sequence, where the task's folder says. */
  readonly longest?: number;
}

const COMMON = ["signal", "progress", "batch_tokens", "truncation", "max_length"];

/**
 * Opens a model for a task. `define` reads what the task needs of the folder. Throws as `load` does, and
 * CheckpointError.
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
 * Token ids of a text or a pair, shortened to `limit` where that is allowed: the longer text first, as fast tokenizers
 * do.
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
    // What stands before the second text closes the first.
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

/** Tokens kept of each text when `room` is left: strategy longest_first of tokenizers (utils/truncation.rs). */
function shares(lengths: readonly number[], room: number): readonly number[] {
  if (lengths.reduce((sum, length) => sum + length, 0) <= room) return lengths;
  if (lengths.length === 1) return [room];
  const shorter = Math.min(...lengths);
  const most = shorter > room ? shorter : Math.max(shorter, room - shorter);
  const [low, high] = shorter + most > room ? [Math.floor(room / 2), Math.ceil(room / 2)] : [shorter, most];
  return lengths[0] <= lengths[1] ? [low, high] : [high, low];
}

/** Softmax over one row of logits, or a sigmoid of each. */
export function probabilities(logits: ArrayLike<number>, kind: "softmax" | "sigmoid"): number[] {
  const values = Array.from(logits);
  if (kind === "sigmoid") return values.map((value) => 1 / (1 + Math.exp(-value)));
  const top = Math.max(...values);
  const weights = values.map((value) => Math.exp(value - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
