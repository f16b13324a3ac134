import { OptionError } from "../index.js";

/** The words of a command line, taken apart. */
export interface Arguments {
  /** The verb, the model, and texts. */
  readonly positional: readonly string[];
  /** Options by name; values that are JSON are parsed. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Reads `--name value`, `--name=value` and `--flag`; what follows `--` is text. Throws OptionError for a name that none
 * can have, and for one that is given twice.
 */
export function parseArguments(words: readonly string[]): Arguments {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const positional: string[] = [];
  const options = new Map<string, unknown>();
  for (let i = 0; i < end; i++) {
    if (!words[i].startsWith("--")) {
      positional.push(words[i]);
      continue;
    }
    const [, name, inline] = words[i].match(/^--(\w+)(?:=(.*))?$/s) ?? [];
    if (name === undefined)
      throw new OptionError(
        `${brief(words[i])} is no option: they are --name, --name value or --name=value; texts follow --`,
      );
    if (options.has(name)) throw new OptionError(`--${brief(name)} is given twice`);
    if (inline !== undefined) options.set(name, readValue(inline));
    else if (i + 1 >= end || words[i + 1].startsWith("--")) options.set(name, true);
    else options.set(name, readValue(words[++i]));
  }
  return { positional: [...positional, ...words.slice(end + 1)], options: Object.fromEntries(options) };
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A word as messages show it. */
export const brief = (word: string): string => (word.length > 60 ? `${word.slice(0, 60)}...` : word);

/** Names as people write lists: `a, b or c`. */
export const listNames = (names: readonly string[]): string =>
  names.length > 1 ? `${names.slice(0, -1).join(", ")} or ${names[names.length - 1]}` : names.join("");

/** Throws OptionError for an option that is not in `known`, with the name that is nearest to it. */
export function checkNames(verb: string, options: Arguments["options"], known: readonly string[]): void {
  const stray = Object.keys(options).find((name) => !known.includes(name));
  if (stray === undefined) return;
  const near = nearest(stray, known);
  const cure = near ? `did you mean --${near}?` : `see wgformer ${verb} --help`;
  throw new OptionError(`${verb}: --${brief(stray)} is not supported; ${cure}`);
}

/** The name that changes of at most a third of its letters make of `word`; undefined when there is none. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const distances = names.map((name) => distance(word.slice(0, 100), name));
  const least = Math.min(...distances);
  const name = names[distances.indexOf(least)];
  return least <= name?.length / 3 ? name : undefined;
}

/** Letters to insert, delete or replace between two words (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + Number(a[i - 1] !== b[j - 1])));
  }
  return row[b.length];
}
