import { type AddedToken, createSplitter, type Section } from "./added_tokens.js";
import { type Letters, lettersOf, type Range, textOf } from "./letters.js";
import type { Normalizer } from "./normalizers.js";
import type { PreTokenizer } from "./pre_tokenizers.js";
import type { Slot, Template } from "./template.js";
import type { Vocabulary } from "./vocabulary.js";

/** The tokens of a text or of two; all lists are of the same length. */
export interface Encoding {
  /** The tokens. */
  readonly ids: readonly number[];
  /** The tokens as the vocabulary spells them. */
  readonly tokens: readonly string[];
  /** The segment of each token. */
  readonly token_type_ids: readonly number[];
  /** The range of its text that a token stands for, in UTF-16 units as strings count them; [0, 0] of special tokens. */
  readonly offsets: readonly Range[];
  /** The word of its text that a token belongs to, as the pre-tokenizer counts them; null of special tokens. */
  readonly word_ids: readonly (number | null)[];
  /** The text that a token belongs to, 0 the first and 1 the second; null of special tokens. */
  readonly sequence_ids: readonly (0 | 1 | null)[];
  /** Number of tokens left out because of max_length. */
  readonly truncated: number;
  /** Number of tokens that stand for text outside the vocabulary. */
  readonly unknown: number;
}

/** The tokens of a text without special ones. */
export interface ReadText {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly offsets: readonly Range[];
  readonly words: readonly number[];
}

/** What a tokenizer consists of. */
export interface ReaderParts {
  readonly added: readonly AddedToken[];
  readonly vocabulary: Vocabulary;
  readonly normalize: Normalizer | undefined;
  readonly preTokenize: PreTokenizer | undefined;
  readonly trim: Template["trim"];
}

interface Token {
  readonly id: number;
  readonly token: string;
  /** The token, or the text of an added one with the white space that it takes along. */
  readonly found: string;
  readonly range: Range;
  readonly word: number;
}

const rangeOf = (letters: Letters, from: number, to: number): Range => {
  const last = letters[Math.min(to, letters.length) - 1];
  return [letters[from].start, last.end];
};

/** Makes the function that reads a text: added tokens, normaliser, pre-tokenizer, model. */
export function createReader(parts: ReaderParts): (text: string) => ReadText {
  const { added, vocabulary, normalize = (letters) => letters, preTokenize, trim } = parts;
  const splitRaw = createSplitter(added.filter(({ normalized }) => !normalized));
  const splitNormalized = createSplitter(added.filter(({ normalized }) => normalized));
  const wordsOf = (letters: Letters): readonly Section[] =>
    splitRaw(letters).flatMap((section) =>
      section.token
        ? section
        : splitNormalized(normalize(section.letters)).flatMap((inner) =>
            inner.token || !preTokenize ? inner : preTokenize(inner.letters).map((word) => ({ letters: word })),
          ),
    );
  return (text) => {
    const tokens = wordsOf(lettersOf(text)).flatMap(({ letters, token: whole }, word): Token[] => {
      const found = textOf(letters);
      if (whole)
        return [{ id: whole.id, token: whole.spelling, found, range: rangeOf(letters, 0, letters.length), word }];
      return vocabulary
        .pieces(found)
        .map(({ id, token, from, to }) => ({ id, token, found: token, range: rangeOf(letters, from, to), word }));
    });
    const offsets = tokens.map(({ found, range }, index) => (trim ? trimmed(text, found, range, index, trim) : range));
    return {
      ids: tokens.map(({ id }) => id),
      tokens: tokens.map(({ token }) => token),
      offsets,
      words: tokens.map(({ word }) => word),
    };
  };
}

const SPACE = /^[Ġ\p{White_Space}]$/u;
const OUTER_SPACE = /^[Ġ\p{White_Space}]|[Ġ\p{White_Space}]$/u;

/** How many characters at the beginning are white space. */
function countSpaces(chars: readonly string[]): number {
  const first = chars.findIndex((char) => !SPACE.test(char));
  return first < 0 ? chars.length : first;
}

/** The range of a byte-level token without its white space (`process_offsets` of the Rust library). */
function trimmed(
  text: string,
  token: string,
  [start, end]: Range,
  index: number,
  { prefixed }: { readonly prefixed: boolean },
): Range {
  if (!OUTER_SPACE.test(token)) return [start, end];
  let before = countSpaces(Array.from(token));
  const after = countSpaces(Array.from(token).reverse());
  if (prefixed && before === 1 && (index === 0 || start === 0)) before = 0; // the tokenizer put it there
  const halves = (at: number): number => Number(/^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(at - 1, at + 1)));
  let from = Math.min(start + before, end);
  from += halves(from); // a whole character
  if (after === 0 || end < after) return [from, end];
  const to = Math.max(end - after, from);
  return [from, to - halves(to)];
}

/** The first or last `count` tokens of a text. */
export function shortened(text: ReadText, count: number, fromLeft: boolean): ReadText {
  if (text.ids.length === count) return text;
  const cut = <T>(list: readonly T[]): readonly T[] =>
    fromLeft ? list.slice(list.length - count) : list.slice(0, count);
  return { ids: cut(text.ids), tokens: cut(text.tokens), offsets: cut(text.offsets), words: cut(text.words) };
}

/**
 * How many tokens of a text the Rust library reads where no more than `limit` are wanted: all of the word that has the
 * last one.
 */
export function readLength({ words }: ReadText, limit: number, fromLeft: boolean): number {
  const inOrder = fromLeft ? words.toReversed() : words;
  const end = inOrder.findIndex((word, t) => t >= limit && word !== inOrder[t - 1]);
  return end < 0 ? words.length : end;
}

/**
 * How many tokens to keep of each text when there is room for `room`: longest_first of the Rust library
 * (utils/truncation.rs).
 */
export function shares(lengths: readonly number[], room: number): readonly number[] {
  if (lengths.reduce((sum, length) => sum + length, 0) <= room) return lengths;
  if (lengths.length === 1) return [room];
  const shorter = Math.min(...lengths);
  const most = shorter > room ? shorter : Math.max(shorter, room - shorter);
  const [low, high] = shorter + most > room ? [Math.floor(room / 2), Math.ceil(room / 2)] : [shorter, most];
  return lengths[0] <= lengths[1] ? [low, high] : [high, low];
}

/** A token in its place. */
interface Placed {
  readonly id: number;
  readonly token: string;
  readonly segment: number;
  readonly range: Range;
  readonly word: number | null;
  readonly text: 0 | 1 | null;
}

/** Puts texts and special tokens in their places. */
export function arrange(slots: readonly Slot[], texts: readonly ReadText[]): Omit<Encoding, "truncated" | "unknown"> {
  const all = slots.flatMap((slot): Placed[] => {
    const { segment } = slot;
    if ("special" in slot)
      return slot.special.map((special) => ({ ...special, segment, range: [0, 0], word: null, text: null }));
    const { ids, tokens, offsets, words } = texts[slot.text];
    return ids.map((id, i) => ({ id, token: tokens[i], segment, range: offsets[i], word: words[i], text: slot.text }));
  });
  return {
    ids: all.map(({ id }) => id),
    tokens: all.map(({ token }) => token),
    token_type_ids: all.map(({ segment }) => segment),
    offsets: all.map(({ range }) => range),
    word_ids: all.map(({ word }) => word),
    sequence_ids: all.map(({ text }) => text),
  };
}
