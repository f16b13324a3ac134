import { InputError, show } from "../../runtime/errors.js";
import type { Model } from "../model.js";
import type { Encoding } from "../text/encoding.js";
import type { Range } from "../text/letters.js";
import type { Conversation } from "../text/messages.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Direction } from "./directions.js";

/**
 * Reads the input of a task, or each of a list of inputs. Throws InputError with the name of the task and, in a list, the
 * index of the bad one.
 */
export function readInputs<Input, T>(
  name: string,
  input: Input | readonly Input[],
  read: (one: Input, index: number) => T,
): T[] {
  const isList = Array.isArray(input);
  return Array.from((isList ? input : [input]) as readonly Input[], (one, index) => {
    try {
      return read(one, index);
    } catch (error) {
      throw inputError(name, error, isList ? index : undefined);
    }
  });
}

/** An error of an input as its task tells it: an InputError with the name of the task and, in a list, the index. */
export function inputError(name: string, cause: unknown, index: number | undefined): unknown {
  if (!(cause instanceof InputError)) return cause;
  return new InputError(`${name}: ${index === undefined ? "" : `input ${index}: `}${cause.message}`, { cause, index });
}

/** Throws InputError for an input that is not an object of these fields. */
export function checkFields(input: unknown, ...names: readonly string[]): void {
  const isObject = typeof input === "object" && input !== null;
  const strange = isObject ? Object.keys(input).find((name) => !names.includes(name)) : "";
  if (strange === undefined) return;
  throw new InputError(`input: must be { ${names.join(", ")} }, got ${isObject ? show(strange) : show(input)}`);
}

/** A text and its tokens. */
export interface Prompt {
  /** The text with its prefix, and how long that is. */
  readonly text: string;
  readonly prefix: number;
  readonly ids: readonly number[];
  /** The part of the text of each token; undefined of special ones and of the prefix. */
  readonly places: readonly (Range | undefined)[];
  /** The conversation that the text was written for, and whether its last message is continued. */
  readonly messages?: Conversation;
  readonly continues?: boolean;
  /** The token of the language to translate to. */
  readonly target?: number;
  /** The tokens with which the result must begin, if that is said, after those that begin all results. */
  readonly begun?: readonly number[];
  /** How many tokens were left out; undefined where texts are not shortened. */
  readonly truncated?: number;
}

/** What a result begins with: a text, or token ids. */
export type Beginning = string | readonly number[];

/** How a text becomes a prompt. */
export interface ReadOptions {
  readonly allow_unknown: boolean;
  /** Whether a text that is too long is shortened. */
  readonly truncation: boolean;
  readonly direction: Direction | undefined;
  /** What the result must begin with. */
  readonly target_prefix: Beginning | undefined;
  /** Whether the text has its special tokens in it, as those of chat templates. */
  readonly is_complete?: boolean;
}

/**
 * The tokens of a text; of one without any, the token that texts begin with, as in Transformers. Throws InputError when
 * there is none either, and for what the vocabulary has not unless allowed.
 */
export function readPrompt(
  model: Model,
  tokenizer: Tokenizer,
  own: string,
  { allow_unknown, truncation, direction, target_prefix, is_complete = false }: ReadOptions,
): Prompt {
  const { prefix, src_lang, target } = direction ?? { prefix: "" };
  const { encoder, decoder } = model.architecture;
  const text = prefix + own;
  const P = (encoder ?? decoder)?.P ?? Infinity;
  const most = Math.min(tokenizer.model_max_length ?? Infinity, P);
  const max_length = truncation ? most : undefined;
  const encoding = tokenizer.encode(text, { src_lang, max_length, add_special_tokens: !is_complete });
  const { ids } = encoding;
  checkLength("text", ids.length, P, is_complete ? "leave the oldest messages out" : "pass truncation: true");
  const bos = model.generationDefaults.options.bos_token_id ?? model.checkpoint.config.bos_token_id;
  if (ids.length === 0 && typeof bos === "number" && !encoder)
    return { text, prefix: 0, ids: [bos], places: [undefined] };
  if (ids.length === 0) throw new InputError(`text: must give at least one token, ${show(text)} gives none`);
  if (!allow_unknown) checkKnown("text", text, encoding, tokenizer);
  const begun =
    typeof target_prefix === "string" ? readBeginning(target_prefix, allow_unknown, tokenizer) : target_prefix;
  if (begun) checkLength("target_prefix", begun.length, (decoder?.P ?? 1) - 1, "leave it out");
  const isOwn = (t: number): boolean => encoding.sequence_ids[t] !== null && encoding.offsets[t][1] > prefix.length;
  const places = encoding.offsets.map((range, t) => (isOwn(t) ? range : undefined));
  return {
    text,
    prefix: prefix.length,
    ids,
    places,
    target,
    begun,
    truncated: truncation ? encoding.truncated : undefined,
  };
}

/** The tokens of the beginning of a result. */
function readBeginning(text: string, allow_unknown: boolean, tokenizer: Tokenizer): readonly number[] {
  const encoding = tokenizer.encode(text, { add_special_tokens: false });
  if (!allow_unknown) checkKnown("target_prefix", text, encoding, tokenizer);
  return encoding.ids;
}

/** Throws InputError for more tokens than there may be. */
export function checkLength(name: string, length: number, limit: number, cure: string): void {
  if (length > limit)
    throw new InputError(
      `${name}: must have at most ${limit} tokens with special ones, got ${length}; shorten it, or ${cure}`,
    );
}

/** Throws InputError for a text with what the vocabulary has not. */
function checkKnown(
  name: string,
  text: string,
  { ids, offsets, sequence_ids, unknown }: Encoding,
  tokenizer: Tokenizer,
): void {
  if (!unknown) return;
  const strange = ids.flatMap((id, t) =>
    id === tokenizer.unk_token_id && sequence_ids[t] !== null ? text.slice(...offsets[t]) : [],
  );
  const which = [...new Set(strange)].map(show).join(", ");
  throw new InputError(
    `${name}: ${show(text)} must consist of what the model's vocabulary knows, ${which} is not in it; leave it out, or pass allow_unknown: true`,
  );
}
