import { type Change, changed, type Letters, textOf } from "./letters.js";

/** The normal forms of Unicode (Unicode Standard Annex 15). */
export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD";

const ORDERED_LAST = "\u0345"; // the only character of combining class 240, the highest

/** Whether a character has a combining class: it is ordered among the marks that follow a letter. */
const isOrdered = (char: string): boolean =>
  /^\p{M}$/u.test(char) && (char === ORDERED_LAST || !(ORDERED_LAST + char).normalize("NFD").startsWith(ORDERED_LAST));

const keepsOrder = (text: string): boolean => text.normalize("NFD") === text;

const haveSameClass = (a: string, b: string): boolean => keepsOrder(a + b) && keepsOrder(b + a);

/** Letters in a normal form. Composed and decomposed characters stand for the letter that they come from. */
export function normalForm(letters: Letters, form: NormalForm): Letters {
  const text = textOf(letters);
  if (text.normalize(form) === text) return letters;
  const parts = decomposed(letters, form.includes("K") ? "NFKD" : "NFD");
  return changed(letters, form.endsWith("C") ? composed(parts) : parts);
}

function decomposed(letters: Letters, form: "NFD" | "NFKD"): Change[] {
  const done: Change[] = [];
  let marks: Change[] = [];
  for (const letter of letters)
    Array.from(letter.char.normalize(form)).forEach((char, i) => {
      const part = { char, change: Math.min(i, 1) };
      if (isOrdered(char)) marks.push(part);
      else {
        for (const mark of ordered(marks)) done.push(mark);
        marks = [];
        done.push(part);
      }
    });
  return [...done, ...ordered(marks)];
}

/** Marks in the order of their combining classes. */
function ordered(marks: readonly Change[]): readonly Change[] {
  if (marks.length < 2) return marks;
  const own = new Map<string, Change[]>();
  for (const mark of marks.toReversed())
    own
      .set(mark.char, own.get(mark.char) ?? [])
      .get(mark.char)
      ?.push(mark);
  const text = marks.map(({ char }) => char).join("");
  return Array.from(text.normalize("NFD")).flatMap((char) => own.get(char)?.pop() ?? []);
}

/** Puts decomposed characters together again (the canonical composition algorithm). */
function composed(parts: readonly Change[]): Change[] {
  const done: Change[] = [];
  let starter: Change | undefined;
  let held: Change[] = [];
  for (const part of parts) {
    const isMark = isOrdered(part.char);
    if (!starter) {
      if (isMark) done.push(part);
      else starter = part;
      continue;
    }
    const before = held[held.length - 1];
    const blocked = before && (!isMark || haveSameClass(before.char, part.char));
    const joined: string = blocked ? "" : (starter.char + part.char).normalize("NFC");
    if (Array.from(joined).length === 1) starter = { char: joined, change: starter.change + part.change - 1 };
    else if (isMark) held.push(part);
    else {
      done.push(starter, ...held);
      [starter, held] = [part, []];
    }
  }
  return starter ? [...done, starter, ...held] : done;
}
