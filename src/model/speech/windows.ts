import { OptionError } from "../../runtime/errors.js";
import type { Prefix } from "./prefix.js";
import type { Segment } from "./segments.js";

/** A recording that is transcribed up to some window. */
export interface Begun {
  readonly prefix: Prefix;
  readonly segments: readonly Segment[];
  /** Whether the next window sees the text so far. */
  readonly conditions: boolean;
}

/** What may stand before the text of a window. */
export interface Context {
  /** Tokens of the caller's, the one before earlier text first. */
  readonly prompt: readonly number[] | undefined;
  /** Whether it stands before every window that sees earlier text, or is the earliest text itself. */
  readonly prompt_condition_type: "first-segment" | "all-segments";
  /** The token before earlier text. */
  readonly previous: number | undefined;
  readonly firstTimestamp: number;
  /** Positions of the decoder. */
  readonly P: number;
}

/**
 * The tokens before the text of the next window: the prompt, the end of the text so far, and the prefix. Throws
 * OptionError when they leave no room. Source: `_prepare_decoder_input_ids` of Transformers, generation_whisper.py.
 */
export function promptOf({ prefix, segments, conditions }: Begun, context: Context): number[] {
  const { prompt, prompt_condition_type, previous, firstTimestamp, P } = context;
  const always = prompt_condition_type === "all-segments";
  // One of two timestamps at the end of a segment begins the next, which is not there yet.
  const settled = ({ tokens }: Segment): readonly number[] =>
    tokens.length > 2 && tokens[tokens.length - 2] >= firstTimestamp ? tokens.slice(0, -1) : tokens;
  const begin = prompt && always ? prompt : previous === undefined ? [] : [previous];
  const asked = prompt && !always ? (prompt[0] === previous ? prompt.slice(1) : prompt) : [];
  const text = [...asked, ...segments.flatMap(settled)].slice(1 - Math.floor(P / 2));
  const before = conditions && text.length ? [...begin, ...text] : (prompt ?? []);
  const ids = [...before, ...prefix.ids];
  if (ids.length < P) return ids;
  throw new OptionError(
    `speech: prompt_ids must leave room for text among ${P} positions, got ${ids.length} tokens before it; shorten the prompt`,
  );
}
