import { OptionError } from "../index.js";
import { checkNames } from "../runtime/checks.js";
import { brief, type Options } from "./arguments.js";
import { readLines } from "./lines.js";

/** Fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** What one line of an input asks for. */
export interface Item {
  /** Which line, from 0. */
  readonly index: number;
  /** What the task reads; undefined for a blank line, and for one that is bad. */
  readonly input?: unknown;
  /** The line's own name, which its result gets. */
  readonly id?: unknown;
  /** Options of this line alone. */
  readonly options?: Options;
  /** Why there is no input. */
  readonly fault?: string;
  /** Bytes of the input up to the end of the line. */
  readonly end?: number;
}

/** How JSON lines become inputs. */
export interface ItemFormat {
  /** The fields that an input may have, apart from `id` and `options`. */
  readonly fields: readonly string[];
  /** The input that fields make. Throws InputError. */
  input(fields: Fields): unknown;
  /** Throws OptionError for options that no line may have. */
  checkOptions(options: Options): void;
}

/** The input that texts make where several are one; in lines they are divided by tabs. */
export type Together = (texts: readonly string[]) => unknown;

/** The items of texts that stand on the command line. */
export async function* textItems(texts: readonly string[], together?: Together): AsyncGenerator<Item> {
  const inputs = together ? [together(texts)] : texts;
  for (const [index, input] of inputs.entries()) yield { index, input };
}

/** The items of lines: plain texts, or with a format JSON. Throws InputError as `readLines` does. */
export async function* lineItems(
  who: string,
  source: AsyncIterable<Uint8Array | string>,
  format: ItemFormat | undefined,
  together?: Together,
): AsyncGenerator<Item> {
  for await (const { number, text, end } of readLines(who, source)) {
    const place = { index: number - 1, end };
    if (text === undefined) yield { ...place, fault: "must be text in UTF-8" };
    else if (!text.trim()) yield place;
    else if (format) yield { ...place, ...jsonItem(text, format) };
    else yield { ...place, input: together ? together(text.split("\t")) : text };
  }
}

function jsonItem(text: string, format: ItemFormat): Pick<Item, "input" | "id" | "options" | "fault"> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: `must be JSON, ${(error as Error).message}` };
  }
  if (typeof value === "string") return { input: value };
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { fault: `must be a JSON object or a text, got ${brief(text)}` };
  const { id, options, ...fields } = value as Fields;
  try {
    checkNames(OptionError, "the line", fields, format.fields);
    if (Object.keys(fields).length === 0) return { id, fault: `must have ${format.fields.join(" or ")}` };
    if (options !== undefined) format.checkOptions(options as Options);
    return { id, options: options as Options | undefined, input: format.input(fields) };
  } catch (error) {
    return { id, fault: (error as Error).message };
  }
}
