import { OptionError } from "../index.js";

const LIMIT = 2 ** 28; // bytes; a string of twice as many does not exist in Node

/**
 * The text on standard input: UTF-8, or UTF-16 with a byte order mark. Throws OptionError when it cannot be read, is
 * longer than 256 MiB or is no text.
 */
export async function readInput(verb: string, source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > LIMIT) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new OptionError(`${verb}: standard input cannot be read, ${(cause as Error).message}`, { cause });
  }
  if (size > LIMIT) throw new OptionError(`${verb}: standard input must have at most 256 MiB; give it in parts`);
  return decode(verb, Buffer.concat(chunks));
}

function decode(verb: string, bytes: Buffer): string {
  const mark = bytes.length > 1 ? bytes.readUInt16BE() : 0;
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch {} // the same to the reader as zeros in the text
  throw new OptionError(`${verb}: standard input must be text in UTF-8, or in UTF-16 with a byte order mark`);
}
