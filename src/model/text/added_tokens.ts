import { type Letters, textOf } from "./letters.js";

/** A token that is found in a text before anything else is done to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Its content as it is looked for and decoded: normalised, if it is looked for in the normalised text. */
  readonly spelling: string;
  /** Whether `decode` can leave it out. */
  readonly special: boolean;
  /** Whether it is looked for in the normalised text. */
  readonly normalized: boolean;
  /** Whether it must be a word of its own. */
  readonly single_word: boolean;
  /** Whether it takes the white space on its left and right along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** A part of a text: an added token, or what lies between them. */
export interface Section {
  readonly letters: Letters;
  readonly token?: AddedToken;
}

const WORD = String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]`;
const ENDS_IN_WORD = new RegExp(`${WORD}$`, "u");
const SPACE = /\p{White_Space}/u;
const BEGINS_WITH_WORD = new RegExp(`^${WORD}`, "u");

/** Makes the function that cuts a text at added tokens: the longest of those that begin first. */
export function createSplitter(tokens: readonly AddedToken[]): (letters: Letters) => Section[] {
  const bySpelling = new Map(tokens.map((token) => [token.spelling, token]));
  bySpelling.delete("");
  if (bySpelling.size === 0) return (letters) => (letters.length ? [{ letters }] : []);
  const longestFirst = [...bySpelling.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((one) => one.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "gu");
  return (letters) => {
    const text = textOf(letters);
    const sections: Section[] = [];
    const indices = unitIndices(letters);
    let from = 0; // in units of `text`
    const add = (to: number, token?: AddedToken): void => {
      if (to > from) sections.push({ letters: letters.slice(indices[from], indices[to]), token });
      from = to;
    };
    for (const match of text.matchAll(pattern)) {
      const token = bySpelling.get(match[0]) as AddedToken;
      let [start, end] = [match.index, match.index + match[0].length];
      const inWord = ENDS_IN_WORD.test(text.slice(Math.max(0, start - 2), start));
      if (token.single_word && (inWord || BEGINS_WITH_WORD.test(text.slice(end, end + 2)))) continue;
      while (token.lstrip && start > from && SPACE.test(text[start - 1])) start--;
      while (token.rstrip && end < text.length && SPACE.test(text[end])) end++;
      if (end <= from) continue; // the token before has taken it along
      add(Math.max(from, start));
      add(end, token);
    }
    add(text.length);
    return sections;
  };
}

/** The index of the letter that begins at each UTF-16 unit of a text, and one for its end. */
function unitIndices(letters: Letters): Uint32Array {
  const indices = new Uint32Array(letters.reduce((sum, { char }) => sum + char.length, 0) + 1);
  let unit = 0;
  letters.forEach(({ char }, index) => {
    indices[unit] = index;
    unit += char.length;
  });
  indices[unit] = letters.length;
  return indices;
}
