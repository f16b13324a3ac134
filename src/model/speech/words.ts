import type { Tokenizer } from "../text/tokenizer.js";
import { SPACELESS } from "./languages.js";

/** A word, and which of the given tokens spell it. */
export interface Word {
  readonly text: string;
  /** The first of its tokens, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

const BEFORE = "\"'“¡¿([{-";
const AFTER = "\"'.。,，!！?？:：”)]}、";
const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const UNFINISHED = "\ufffd"; // bytes that make no character yet

/**
 * The words that text tokens spell: from one space to the next, or single characters in languages that put no spaces
 * between words; punctuation belongs to the word that it touches. Source: `_combine_tokens_into_words` of Transformers,
 * tokenization_whisper.py (openai/whisper, tokenizer.py and timing.py).
 */
export function wordsOf(tokenizer: Tokenizer, ids: readonly number[], language?: string): Word[] {
  const pieces = piecesOf(tokenizer, ids);
  return joinPunctuation(SPACELESS.includes(language) ? pieces : joinPieces(pieces));
}

/** The shortest runs of tokens that spell whole characters. */
function piecesOf(tokenizer: Tokenizer, ids: readonly number[]): Word[] {
  const whole = tokenizer.decode(ids);
  const pieces: Word[] = [];
  let from = 0;
  let length = 0; // of the text so far
  ids.forEach((_, at) => {
    const text = tokenizer.decode(ids.slice(from, at + 1));
    const odd = text.indexOf(UNFINISHED);
    const isOwn = odd < 0 || length + odd >= whole.length || whole[length + odd] === UNFINISHED;
    if (!isOwn) return;
    pieces.push({ text, from, to: at + 1 });
    from = at + 1;
    length += text.length;
  });
  return pieces;
}

const join = (a: Word, b: Word): Word => ({ text: a.text + b.text, from: a.from, to: b.to });

/** Joins pieces to words that begin with a space; a mark alone is a word of its own. */
function joinPieces(pieces: readonly Word[]): Word[] {
  const words: Word[] = [];
  for (const piece of pieces) {
    const begins = piece.text.startsWith(" ") || PUNCTUATION.includes(piece.text.trim()) || words.length === 0;
    if (begins) words.push(piece);
    else words.push(join(words.pop() as Word, piece));
  }
  return words;
}

/** Joins marks to the words after or before which they stand. */
function joinPunctuation(words: readonly Word[]): Word[] {
  const before: Word[] = [];
  for (const word of [...words].reverse()) {
    const opens = before.length > 0 && word.text.startsWith(" ") && BEFORE.includes(word.text.trim());
    before.push(opens ? join(word, before.pop() as Word) : word);
  }
  const joined: Word[] = [];
  for (const word of before.reverse()) {
    const last = joined[joined.length - 1];
    const closes = last !== undefined && !last.text.endsWith(" ") && AFTER.includes(word.text);
    joined.push(closes ? join(joined.pop() as Word, word) : word);
  }
  return joined.filter(({ text }) => text);
}
