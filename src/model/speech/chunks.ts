import type { Tokenizer } from "../text/tokenizer.js";
import type { Segment } from "./segments.js";
import { wordsOf } from "./words.js";

/** A word of a transcript. */
export interface SpeechWord {
  /** The word, with the space and the punctuation around it. */
  readonly text: string;
  /** Its start and end in seconds. */
  readonly timestamp: readonly [start: number, end: number];
}

/** A part of a transcript that was said between two times. */
export interface SpeechChunk {
  /** What was said. */
  readonly text: string;
  /** Its start and end in seconds. */
  readonly timestamp: readonly [start: number, end: number];
  /** Its words, where they are asked for. */
  readonly words?: readonly SpeechWord[];
}

/** How tokens become text. */
export interface Spelling {
  readonly tokenizer: Tokenizer;
  /** The id of the end token; those below it are text. */
  readonly end: number;
  readonly language?: string;
}

/** The text of tokens without special ones and timestamps. */
export const textOf = (tokens: readonly number[], { tokenizer, end }: Spelling): string =>
  tokenizer.decode(tokens.filter((id) => id < end));

const round = (seconds: number): number => Math.round(100 * seconds) / 100;

/** The chunk that a segment is; undefined of one without text. */
export function chunkOf(segment: Segment, spelling: Spelling): SpeechChunk | undefined {
  const { start, end, tokens, times } = segment;
  const text = textOf(tokens, spelling);
  if (!text) return undefined;
  const words = times && timedWords(tokens, [start, ...times], spelling);
  return { text, timestamp: [round(start), round(end)], ...(words && { words }) };
}

/** The words of tokens; token t begins at `times[t]` and ends at `times[t + 1]`. */
function timedWords(
  tokens: readonly number[],
  times: readonly number[],
  { tokenizer, end, language }: Spelling,
): SpeechWord[] {
  const places = [...tokens.keys()].filter((t) => tokens[t] < end);
  const ids = places.map((t) => tokens[t]);
  return wordsOf(tokenizer, ids, language).map(({ text, from, to }) => ({
    text,
    timestamp: [round(times[places[from]]), round(times[places[to - 1] + 1])],
  }));
}
