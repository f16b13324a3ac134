import { InputError } from "../../runtime/errors.js";

/**
 * How token strings spell the text: after WordPiece's prefix, in byte-level letters, or after SentencePiece's space.
 */
export type Spelling = "wordpiece" | "bytes" | "metaspace";

/** Start and end of a stretch of text, in UTF-16 units as strings count them. */
export type Range = readonly [start: number, end: number];

interface Alignment {
  readonly text: string;
  readonly tokens: readonly string[];
  readonly spelling: Spelling;
  /** The string of tokens that stand for what the vocabulary does not know. */
  readonly unknown: string | undefined;
}

/**
 * The range of each token in the text. The tokenizer gives none, so tokens are matched letter by letter, ignoring case,
 * accents and compatibility forms, which normalisers change. Throws InputError when a token does not match.
 */
export function alignTokens(alignment: Alignment): Range[] {
  return alignment.spelling === "bytes" ? alignBytes(alignment) : alignLetters(alignment);
}

const WHITE = /\s|\p{C}/u;
const ALONE = /[\p{P}\p{S}]|\p{Script=Han}/u; // pre-tokenizers of BERT make each of these a word

const plain = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

const lost = (token: string, text: string, at: number): InputError =>
  new InputError(
    `text: token ${JSON.stringify(token)} must occur at character ${at} of ${JSON.stringify(text)}, it does not; ranges cannot be found for this tokenizer`,
  );

interface Letter {
  readonly letter: string;
  readonly start: number;
  readonly end: number;
}

/** The letters of a text that tokens can spell, with their places. */
function lettersOf(text: string): Letter[] {
  const letters: Letter[] = [];
  let start = 0;
  for (const character of text) {
    const end = start + character.length;
    for (const letter of plain(character)) letters.push({ letter, start, end });
    start = end;
  }
  return letters;
}

function alignLetters({ text, tokens, spelling, unknown }: Alignment): Range[] {
  const letters = lettersOf(text);
  let at = 0;
  return tokens.map((token) => {
    while (at < letters.length && WHITE.test(letters[at].letter)) at++;
    const first = at;
    if (token === unknown) {
      if (at < letters.length && ALONE.test(letters[at].letter)) at++;
      else while (at < letters.length && !WHITE.test(letters[at].letter) && !ALONE.test(letters[at].letter)) at++;
    } else {
      for (const letter of plain(token.replace(spelling === "wordpiece" ? /^##(?=.)/ : /^▁+/, ""))) {
        if (letters[at]?.letter !== letter) throw lost(token, text, letters[at]?.start ?? text.length);
        at++;
      }
    }
    const end = at > first ? letters[at - 1].end : (letters[first]?.start ?? text.length);
    return [letters[first]?.start ?? text.length, end];
  });
}

/** Byte-level tokens are the text's bytes, each written as a letter (Radford et al. 2019, bytes_to_unicode). */
function alignBytes({ text, tokens }: Alignment): Range[] {
  const owners: Range[] = []; // of each byte: the character it belongs to
  let start = 0;
  for (const character of text) {
    const range: Range = [start, (start += character.length)];
    for (const _ of new TextEncoder().encode(character)) owners.push(range);
  }
  const total = tokens.reduce((sum, token) => sum + token.length, 0);
  let at = owners.length - total; // -1 where the tokenizer puts a space before the text
  if (at < -1 || at > 0) throw lost(tokens[0] ?? "", text, 0);
  return tokens.map((token) => {
    const own = owners.slice(Math.max(0, at), Math.max(0, (at += token.length)));
    const shown = own.filter(([first]) => text[first] !== " ");
    const [first, last] = [shown[0] ?? own[own.length - 1], shown[shown.length - 1] ?? own[own.length - 1]];
    return first && last ? [first[0], last[1]] : [0, 0];
  });
}
