import type { Value } from "./jinja.js";

// What str() of Python knows as white space.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/** A text without white space, or these letters, at its ends: `strip`, `lstrip` and `rstrip` of Python. */
export function strip(text: string, method: string, letters?: string | null): string {
  const some = `[${letters ? letters.replace(/[\\\]^-]/g, "\\$&") : SPACE}]+`;
  const left = method === "rstrip" ? text : text.replace(new RegExp(`^${some}`, "u"), "");
  return method === "lstrip" ? left : left.replace(new RegExp(`${some}$`, "u"), "");
}

/** A text whose first letter alone is a capital, as `capitalize` of Python writes it. */
export function capitalized(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** The text of a value, `str()` of Python; nothing of an undefined one. */
export const textOf = (value: Value): string => (value.type === "StringValue" ? String(value.value) : inPython(value));

/** How Python writes a value, `repr()`. */
export function inPython(value: Value): string {
  switch (value.type) {
    case "StringValue":
      return quoted(String(value.value));
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "";
    case "BooleanValue":
      return value.value ? "True" : "False";
    case "ArrayValue":
      return `[${(value.value as readonly Value[]).map(inPython).join(", ")}]`;
    case "ObjectValue":
      return `{${Array.from(value.value as ReadonlyMap<string, Value>, ([key, one]) => `${quoted(key)}: ${inPython(one)}`).join(", ")}}`;
    default:
      return value.toString();
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const plain = text.replace(/[\\\n\r\t]/g, (letter) => ESCAPES[letter]);
  return quote + (quote === "'" ? plain.replaceAll("'", "\\'") : plain) + quote;
}

/** Whether a value counts as true: neither None, False, 0, nor empty. */
export function isTrue({ value }: Value): boolean {
  if (value instanceof Map) return value.size > 0;
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** Whether two values are equal in Python: numbers as such, lists and dictionaries by what they hold. */
export function isEqual(a: Value, b: Value): boolean {
  const isNumber = ({ type }: Value): boolean => /^(Integer|Float|Boolean)Value$/.test(type);
  if (isNumber(a) && isNumber(b)) return Number(a.value) === Number(b.value);
  if (a.type !== b.type) return false;
  if (Array.isArray(a.value)) {
    const others = b.value as readonly Value[];
    return a.value.length === others.length && a.value.every((one, i) => isEqual(one, others[i]));
  }
  if (!(a.value instanceof Map)) return a.value === b.value;
  const others = b.value as ReadonlyMap<string, Value>;
  return (
    a.value.size === others.size &&
    Array.from(a.value).every(([key, one]) => {
      const other = others.get(key);
      return other !== undefined && isEqual(one, other);
    })
  );
}

const part =
  (options: Intl.DateTimeFormatOptions) =>
  (date: Date): string =>
    new Intl.DateTimeFormat("en-US", options).format(date);
const digits =
  (count: number, of: (date: Date) => number) =>
  (date: Date): string =>
    String(of(date)).padStart(count, "0");

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  Y: digits(4, (date) => date.getFullYear()),
  y: digits(2, (date) => date.getFullYear() % 100),
  m: digits(2, (date) => date.getMonth() + 1),
  d: digits(2, (date) => date.getDate()),
  H: digits(2, (date) => date.getHours()),
  I: digits(2, (date) => ((date.getHours() + 11) % 12) + 1),
  M: digits(2, (date) => date.getMinutes()),
  S: digits(2, (date) => date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  B: part({ month: "long" }),
  b: part({ month: "short" }),
  A: part({ weekday: "long" }),
  a: part({ weekday: "short" }),
  "%": () => "%",
};

/** A date as `strftime` of Python writes it in English. Throws Error for a directive that is not known. */
export const strftime = (date: Date, format: string): string =>
  format.replace(/%(.)/g, (directive, letter: string) => {
    if (!Object.hasOwn(DIRECTIVES, letter)) throw new Error(`strftime_now has no ${directive}`);
    return DIRECTIVES[letter](date);
  });
