import { InputError } from "../../runtime/errors.js";

/**
 * How tokens spell the text: with the prefix of WordPiece, in byte-level letters, or with the space of SentencePiece.
 */
export type Spelling = "wordpiece" | "bytes" | "metaspace";

/** Start and end of a range of text, in UTF-16 units as strings count them. */
export type Range = readonly [start: number, end: number];

interface Alignment {
  readonly text: string;
  readonly tokens: readonly string[];
  readonly spelling: Spelling;
  /** The token that stands for text outside the vocabulary. */
  readonly unknown: string | undefined;
}

/**
 * The range of each token in the text. The tokenizer gives none, so tokens are matched letter by letter. Case, accents
 * and compatibility characters are ignored, because normalisers change them. Throws InputError when a token does not
 * match.
 */
export function alignTokens(alignment: Alignment): Range[] {
  return alignment.spelling === "bytes" ? alignBytes(alignment) : alignLetters(alignment);
}

const WHITE = /\s|\p{C}/u;
const ALONE = /[\p{P}\p{S}]|\p{Script=Han}/u; // BERT's pre-tokenizer makes each of these a word

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

/** The letters of a text as tokens spell them, with their ranges. */
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

/** Byte-level tokens spell the bytes of the text, each as one letter (Radford et al. 2019, bytes_to_unicode). */
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
