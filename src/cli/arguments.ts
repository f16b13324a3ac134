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
