import { parseArgs } from "node:util";
import { OptionError } from "../index.js";
import { nearest, type Rule } from "../runtime/checks.js";

/** An option of a verb. */
export interface Option {
  /** The values that it may have. */
  readonly rule: Rule;
  /** What it does. */
  readonly doc: string;
  /** Its letter, as in `-n`. */
  readonly short?: string;
}

/** Options by their names. */
export type OptionTable = Readonly<Record<string, Option>>;

/** Values of options by their names. */
export type Options = Readonly<Record<string, unknown>>;

/** The words of a command line after its verb, taken apart. */
export interface Arguments {
  readonly positional: readonly string[];
  readonly options: Options;
}

/** Whether an option needs no value: `--do_sample` is `--do_sample=true`. */
export const isSwitch = ({ rule }: Option): boolean => rule.holds(true) && rule.holds(false);

/**
 * Takes words apart: `--name value`, `--name=value`, `-n value`, and switches, which take the word after them only if it
 * is one of their own values. Names have `_` or `-`; what follows `--` is text. `verb` begins messages. Throws OptionError
 * for unknown options, naming the nearest one, for values out of range, and for what is given twice.
 */
export function parseArguments(verb: string, words: readonly string[], table: OptionTable): Arguments {
  const positional: string[] = [];
  const options = new Map<string, unknown>();
  const tokens = tokensOf(words, table);
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    if (token.kind === "positional") positional.push(token.value);
    if (token.kind !== "option") continue;
    const name = token.name.replaceAll("-", "_");
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!option) throw unknownOption(verb, token.rawName, table);
    if (options.has(name)) throw new OptionError(`${verb}: --${name} is given twice`);
    if (isSwitch(option) && token.value === undefined) {
      const next = tokens[i + 1];
      const value = next?.kind === "positional" ? readValue(next.value, option.rule) : undefined;
      if (value !== undefined) i++;
      options.set(name, value ?? true);
    } else options.set(name, valueOf(verb, name, option, token.value, token.inlineValue));
  }
  return { positional, options: Object.fromEntries(options) };
}

function tokensOf(words: readonly string[], table: OptionTable) {
  const options = Object.entries(table).flatMap(([name, option]) => {
    const type: "boolean" | "string" = isSwitch(option) ? "boolean" : "string";
    return [
      [name, { type, ...(option.short && { short: option.short }) }],
      [name.replaceAll("_", "-"), { type }],
    ].filter(([spelling], at) => at === 0 || spelling !== name) as [string, { type: typeof type }][];
  });
  return parseArgs({
    args: [...words],
    options: Object.fromEntries(options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

function valueOf(verb: string, name: string, { rule }: Option, text: string | undefined, inline?: boolean): unknown {
  const looksOptional = text !== undefined && !inline && /^--?[a-z]/i.test(text);
  if (text === undefined || looksOptional)
    throw new OptionError(
      `${verb}: --${name} must be ${rule.words}, got ${text === undefined ? "nothing" : `${brief(text)}; write --${name}=${brief(text)} if that is the value`}`,
    );
  const value = readValue(text, rule);
  if (value === undefined) throw new OptionError(`${verb}: --${name} must be ${rule.words}, got ${brief(text)}`);
  return value;
}

/** The value that a word stands for: as JSON, as it is, or as a list with commas; undefined if the rule allows none. */
function readValue(text: string, rule: Rule): unknown {
  const json = (word: string): unknown => {
    try {
      return JSON.parse(word) as unknown;
    } catch {
      return word;
    }
  };
  return [json(text), text, text.split(",").map((word) => json(word.trim()))].find((value) => rule.holds(value));
}

function unknownOption(verb: string, rawName: string, table: OptionTable): OptionError {
  const isNumber = /^-\d/.test(rawName);
  const near = rawName.startsWith("--") ? nearest(rawName, Object.keys(table)) : undefined;
  const cure = near ? `did you mean --${near}?` : `see wgformer ${verb} --help`;
  return new OptionError(
    `${verb}: ${brief(rawName)} is no option; ${isNumber ? "texts that begin with - follow --" : cure}`,
  );
}

/** A word as messages show it. */
export const brief = (word: string): string => (word.length > 60 ? `${word.slice(0, 60)}...` : word);

/** Names as people write lists: `a, b or c`. */
export const listNames = (names: readonly string[]): string =>
  names.length > 1 ? `${names.slice(0, -1).join(", ")} or ${names[names.length - 1]}` : names.join("");
