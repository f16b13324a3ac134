/** Start and end of a range of text, in UTF-16 units as strings count them. */
export type Range = readonly [start: number, end: number];

/** A character of a normalised text, and the range of the caller's text that it stands for. */
export interface Letter {
  readonly char: string;
  readonly start: number;
  readonly end: number;
}

/** A text that remembers where each of its characters comes from (NormalizedString of the Rust library). */
export type Letters = readonly Letter[];

/**
 * A character of a new text. `change` tells how it comes from the old one: 0 replaces a character, 1 is inserted after
 * it, and -n replaces one and removes the next n.
 */
export interface Change {
  readonly char: string;
  readonly change: number;
}

/** The characters of a caller's text; half a surrogate pair is U+FFFD, as it is in UTF-8. */
export function lettersOf(text: string): Letters {
  let at = 0;
  return Array.from(text, (own) => {
    const [start, end] = [at, (at += own.length)];
    return { char: /^\p{Cs}$/u.test(own) ? "\ufffd" : own, start, end };
  });
}

/** The text of letters. */
export const textOf = (letters: Letters): string => letters.map(({ char }) => char).join("");

/** The same letters as other characters, each made of the letter before it. */
export function respelled(letters: Letters, spell: (char: string) => string): Letters {
  return letters.flatMap((letter) => {
    const chars = spell(letter.char);
    return chars === letter.char ? letter : Array.from(chars, (char) => ({ ...letter, char }));
  });
}

/** Applies changes to letters. An inserted character stands for what the one before it stood for. */
export function changed(letters: Letters, changes: readonly Change[]): Letters {
  let at = 0;
  return changes.map(({ char, change }) => {
    const { start, end } = letters[change > 0 ? Math.max(0, at - 1) : at] ?? letters[letters.length - 1];
    if (change <= 0) at += 1 - change;
    return { char, start, end };
  });
}

/** A run of letters, and whether a pattern matches it. */
interface Run {
  readonly from: number;
  readonly to: number;
  readonly matches: boolean;
}

/** Cuts letters into what a pattern (flags `gu`) matches and what it does not. */
function runsOf(letters: Letters, pattern: RegExp): Run[] {
  const text = textOf(letters);
  let [index, unit] = [0, 0];
  const indexAt = (target: number): number => {
    for (; unit < target; index++) unit += letters[index].char.length;
    return index;
  };
  const runs: Run[] = [];
  let from = 0;
  const add = (to: number, matches: boolean): void => {
    if (to > from) runs.push({ from, to, matches });
    from = to;
  };
  for (const match of text.matchAll(pattern)) {
    if ((text.codePointAt(match.index - 1) ?? 0) > 0xffff) continue; // V8 finds empty ones within a character
    add(indexAt(match.index), false);
    add(indexAt(match.index + match[0].length), true);
  }
  add(letters.length, false);
  return runs;
}

/** Replaces what a pattern matches. The new characters stand for the last one that they replace. */
export function replaced(letters: Letters, pattern: RegExp, content: string): Letters {
  return runsOf(letters, pattern).flatMap(({ from, to, matches }) =>
    matches ? Array.from(content, (char) => ({ ...letters[to - 1], char })) : letters.slice(from, to),
  );
}

/** What becomes of the matches of a pattern at which a text is split (SplitDelimiterBehavior of the Rust library). */
export type Behavior = "removed" | "isolated" | "contiguous" | "mergedwithprevious" | "mergedwithnext";

/** Splits letters where a pattern matches or, if `invert`, where it does not. */
export function split(letters: Letters, pattern: RegExp, behavior: Behavior, invert = false): Letters[] {
  const runs = runsOf(letters, pattern).map((run) => ({ ...run, matches: run.matches !== invert }));
  const joins = (before: boolean, after: boolean): boolean =>
    behavior === "contiguous"
      ? before === after
      : behavior === "mergedwithprevious"
        ? after && !before
        : behavior === "mergedwithnext" && before && !after;
  const parts: { from: number; to: number }[] = [];
  runs.forEach(({ from, to, matches }, i) => {
    if (i > 0 && joins(runs[i - 1].matches, matches)) parts[parts.length - 1].to = to;
    else if (!(matches && behavior === "removed")) parts.push({ from, to });
  });
  return parts.map(({ from, to }) => letters.slice(from, to));
}
