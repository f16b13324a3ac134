import { fallbackByte } from "./decoders.js";
import type { Tokenizer } from "./tokenizer.js";

const CONTEXT = 16; // tokens of a prompt that may change how the next one is spelled

const SHOWN = { skip_special_tokens: true };

/**
 * The text that tokens add to a prompt, without special tokens. A space between the two belongs to it, also where the
 * decoder leaves one out at the beginning of a text.
 */
export function continuationOf(tokenizer: Tokenizer, prompt: readonly number[], ids: readonly number[]): string {
  const context = prompt.slice(-CONTEXT);
  const before = tokenizer.decode(context, SHOWN);
  const whole = tokenizer.decode([...context, ...ids], SHOWN);
  return whole.startsWith(before) ? whole.slice(before.length) : tokenizer.decode(ids, SHOWN);
}

/** Gives the text of a growing list of tokens piece by piece; the pieces together are the whole text. */
export type Detokenizer = (ids: readonly number[], last: boolean) => string;

const SPAN = 64; // tokens that are decoded again at every step, about

/**
 * Makes the detokenizer of one result. Call it with all tokens so far; it holds back what a later token may change until
 * `last`. Tokens whose text is out become the context of those that follow, so that a long text takes no longer a token.
 */
export function createDetokenizer(tokenizer: Tokenizer, prompt: readonly number[]): Detokenizer {
  let before = prompt;
  let done = 0; // tokens that are in `before`
  let given = 0; // letters of the others
  return (ids, last) => {
    const rest = ids.slice(done);
    const whole = last ? rest : withoutBytes(tokenizer, rest);
    const text = continuationOf(tokenizer, before, whole);
    const end = last ? text.length : settledLength(text, tokenizer.clean_up_tokenization_spaces);
    const piece = text.slice(given, Math.max(given, end));
    given += piece.length;
    const context = rest.slice(-CONTEXT);
    const isOut = whole.length === rest.length && given === text.length;
    if (isOut && rest.length >= SPAN && tokenizer.decode(context, SHOWN).trim()) {
      [before, done, given] = [context, ids.length, 0];
    }
    return piece;
  };
}

/**
 * Tokens without the bytes at their end, whose text depends on the bytes that follow. Tokens without text, such as
 * special ones, do not part bytes.
 */
function withoutBytes(tokenizer: Tokenizer, ids: readonly number[]): readonly number[] {
  let end = ids.length;
  for (let at = end - 1; at >= 0; at--) {
    if (fallbackByte(tokenizer.id_to_token(ids[at]) ?? "") !== undefined) end = at;
    else if (tokenizer.decode([ids[at]], SHOWN)) break;
  }
  return ids.slice(0, end);
}

/**
 * The length of a text without the bytes of an unfinished character at its end, and without a space that clean-up may
 * still take away together with what follows it.
 */
function settledLength(text: string, cleans: boolean): number {
  const unfinished = /\ufffd+$/.exec(text)?.index ?? text.length;
  if (!cleans) return unfinished;
  return / [ .?!,'ntmsvre]*$/.exec(text.slice(0, unfinished))?.index ?? unfinished;
}

/** Finds the first token that completes a stop string. */
export interface StopFinder {
  /** How many tokens to keep of all so far; undefined while no stop string is complete. */
  (ids: readonly number[]): number | undefined;
}

/**
 * Looks for stop strings as StopStringCriteria of Transformers does: in the text of prompt and result together, special
 * tokens included; each must end within the text of a new token.
 */
export function createStopFinder(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  stops: readonly string[],
): StopFinder {
  const longest = Math.max(...stops.map((stop) => new TextEncoder().encode(stop).length));
  const window = longest + 4; // every token has a byte at least, and a character four at most
  const textOf = (all: readonly number[]): string =>
    tokenizer.decode(all, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  let checked = 0;
  return (ids) => {
    for (; checked < ids.length; checked++) {
      const recent = [...prompt.slice(-window), ...ids.slice(Math.max(0, checked - window), checked)].slice(-window);
      const before = textOf(recent).replace(/\ufffd+$/, "").length;
      const text = textOf([...recent, ids[checked]]);
      const ends = stops.some((stop) => text.includes(stop, Math.max(0, before - stop.length + 1)));
      if (ends) return checked + 1;
    }
    return undefined;
  };
}
