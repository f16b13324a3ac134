import { InputError, OptionError, show } from "./errors.js";

/** Which values an option may have, and how messages say it. */
export interface Rule {
  readonly words: string;
  holds(value: unknown): boolean;
}

const isFunction = (value: unknown): boolean => typeof value === "function";

/** `true` or `false`. */
export const FLAG: Rule = { words: "true or false", holds: (value) => typeof value === "boolean" };
/** A callback. */
export const CALLBACK: Rule = { words: "a function", holds: isFunction };
/** A whole number from `least` to `most`. */
export const wholeNumber = (least: number, most = 2 ** 31): Rule => ({
  words: most === 2 ** 31 ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`,
  holds: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
});
/** One of these values. */
export const oneOf = (...values: readonly unknown[]): Rule => ({
  words: `one of ${values.map(String).join(", ")}`,
  holds: (value) => values.includes(value),
});
/** An object with these methods; it may be of another realm. */
export const objectWith = (words: string, ...methods: readonly string[]): Rule => ({
  words,
  holds: (value) =>
    typeof value === "object" &&
    value !== null &&
    methods.every((name) => isFunction((value as Readonly<Record<string, unknown>>)[name])),
});
/** An AbortSignal. */
export const SIGNAL = objectWith("an AbortSignal", "throwIfAborted", "addEventListener");

/** Throws OptionError for an option that is not in the table, naming the nearest that is, or whose value breaks its rule. */
export function checkOptions(
  who: string,
  given: unknown,
  table: Readonly<Record<string, Rule>>,
  cures?: Readonly<Record<string, string>>,
): void {
  checkNames(OptionError, who, given, Object.keys(table), cures);
  for (const [name, rule] of Object.entries(table)) {
    checkOption(who, name, (given as Readonly<Record<string, unknown>> | undefined)?.[name], rule);
  }
}

/** Throws OptionError for a value that is given and breaks its rule. */
export function checkOption(who: string, name: string, value: unknown, { words, holds }: Rule): void {
  if (value !== undefined && !holds(value))
    throw new OptionError(`${who}: ${name} must be ${words}, got ${show(value)}`);
}

/**
 * Throws an error of this kind unless `given` is absent or an object, all of whose names are known: it tells the cure
 * for an unknown one, or else the nearest known name. A name whose value is undefined counts as absent.
 */
export function checkNames(
  Kind: typeof InputError | typeof OptionError,
  who: string,
  given: unknown,
  known: readonly string[],
  cures: Readonly<Record<string, string>> = {},
): void {
  checkObject(Kind, who, given);
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined || known.includes(name)) continue;
    const near = nearest(name, known);
    const cure = Object.hasOwn(cures, name) ? cures[name] : near && `did you mean ${near}?`;
    throw new Kind(`${who}: ${show(name).slice(1, -1)} is not supported; ${cure ?? `supported are ${listed(known)}`}`);
  }
}

const LISTED = 40; // names of a message

const listed = (names: readonly string[]): string =>
  [...names.slice(0, LISTED), ...(names.length > LISTED ? [`and ${names.length - LISTED} more`] : [])].join(", ");

/** Throws an error of this kind unless `given` is absent or an object that is no list. */
export function checkObject(Kind: typeof InputError | typeof OptionError, who: string, given: unknown): void {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given) && !ArrayBuffer.isView(given);
  if (given !== undefined && !isObject)
    throw new Kind(`${who}: ${Kind === InputError ? "inputs" : "options"} must be an object, got ${show(given)}`);
}

/** The known name that is nearest to this one, whatever its case and its underscores; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  const wanted = plain(name.slice(0, 60));
  const best = known
    .map((candidate) => ({ candidate, edits: distance(wanted, plain(candidate)) }))
    .sort((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= Math.max(2, wanted.length / 3) ? best.candidate : undefined;
}

/** The fewest insertions, deletions and changes of a letter that make `b` of `a` (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++)
      next.push(Math.min(row[j] + (a[i] === b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    row = next;
  }
  return row[b.length];
}
