import { InputError } from "../index.js";

/** A line of an input. */
export interface Line {
  /** Its number, from 1. */
  readonly number: number;
  /** Its text without its end; undefined where it is none. */
  readonly text?: string;
  /** Bytes of the input up to its end. */
  readonly end: number;
}

const LONGEST = 2 ** 24; // bytes of a line

/**
 * The lines of bytes, which may be more than memory holds: UTF-8, or UTF-16 with a byte order mark; they end with \n or
 * \r\n. Throws InputError for what is no text at all, and for a line of more than 16 MiB. `who` begins messages.
 */
export async function* readLines(who: string, source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Line> {
  let cut: ((bytes: Uint8Array, from: number) => number) | undefined;
  let decoder = new TextDecoder();
  let rest: Uint8Array = new Uint8Array();
  let [number, end, searched] = [0, 0, 0];
  const lineOf = (bytes: Uint8Array): Line => {
    number++;
    let text: string | undefined;
    try {
      text = decoder.decode(bytes).replace(/\r?\n$/, "");
    } catch {} // told by whoever knows what is made of the line
    if (text?.includes("\0") || (text === undefined && bytes.includes(0)))
      throw new InputError(`${who} must be text in UTF-8, or in UTF-16 with a byte order mark; line ${number} is none`);
    return { number, text, end: (end += bytes.length) };
  };
  for await (const chunk of source) {
    rest = joined(rest, typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
    if (!cut) {
      if (rest.length < 3) continue; // a byte order mark may come
      ({ cut, decoder, rest, end } = begin(rest));
    }
    for (let at = cut(rest, searched); at >= 0; at = cut(rest, 0)) {
      yield lineOf(rest.subarray(0, at));
      rest = rest.subarray(at);
    }
    if (rest.length > LONGEST) throw new InputError(`${who}: line ${number + 1} must have at most 16 MiB`);
    searched = rest.length & ~1;
  }
  if (!cut) ({ decoder, rest } = begin(rest));
  if (rest.length) yield lineOf(rest);
}

/** How the encoding of an input is read, and what follows its byte order mark. */
function begin(bytes: Uint8Array) {
  const [a, b, c] = bytes;
  const [encoding, mark]: [string, number] =
    a === 0xff && b === 0xfe
      ? ["utf-16le", 2]
      : a === 0xfe && b === 0xff
        ? ["utf-16be", 2]
        : ["utf-8", a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0];
  const unit = encoding === "utf-8" ? 1 : 2;
  const low = encoding === "utf-16be" ? 1 : 0; // where a unit has its low byte
  /** The end of the first line from a byte on, counted from there; below 0 where none ends. */
  const cut = (rest: Uint8Array, from: number): number => {
    for (let at = rest.indexOf(10, from); at >= 0; at = rest.indexOf(10, at + 1)) {
      if (unit === 1) return at + 1;
      if (at % 2 === low && rest[at ^ 1] === 0) return at + 2 - low;
    }
    return -1;
  };
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  return { cut, decoder, rest: bytes.subarray(mark), end: mark };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
