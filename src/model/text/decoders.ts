import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { bytesOf, patternOf } from "./patterns.js";

/** Turns tokens into parts of a text, which are then joined. */
export type TokenDecoder = (tokens: readonly string[]) => readonly string[];

/** The decoder that `tokenizer.json` describes; without one, tokens are joined by spaces. */
export function createDecoder(definition: Json | null | undefined): TokenDecoder {
  if (!definition) return (tokens) => [tokens.join(" ")];
  const create = DECODERS[definition.type as string];
  if (!create) throw new CheckpointError(`decoder ${String(definition.type)} is not supported`);
  return create(definition);
}

const each =
  (change: (token: string, index: number, count: number) => string): TokenDecoder =>
  (tokens) =>
    tokens.map((token, index) => change(token, index, tokens.length));

const DECODERS: Readonly<Record<string, (definition: Json) => TokenDecoder>> = {
  ByteLevel: () => (tokens) => [utf8(tokens.flatMap((token) => [...bytesOf(token)]))],
  WordPiece({ prefix = "##", cleanup = true }) {
    const begin = String(prefix);
    const joined = (token: string): string => (token.startsWith(begin) ? token.slice(begin.length) : ` ${token}`);
    return each((token, index) => {
      const text = index ? joined(token) : token;
      return cleanup ? cleanUp(text).replaceAll(" do not", " don't") : text;
    });
  },
  Metaspace({ replacement = "▁", add_prefix_space, prepend_scheme = "always" }) {
    const keeps = add_prefix_space === false || prepend_scheme === "never";
    return each((token, index) => token.replaceAll(String(replacement), index || keeps ? " " : ""));
  },
  BPEDecoder({ suffix = "</w>" }) {
    return each((token, index, count) => token.replaceAll(String(suffix), index < count - 1 ? " " : ""));
  },
  CTC({ pad_token = "<pad>", word_delimiter_token = "|", cleanup = true }) {
    return (tokens) =>
      tokens
        .filter((token, index) => token !== tokens[index - 1])
        .map((token) => token.replaceAll(String(pad_token), ""))
        .map((token) => (cleanup ? cleanUp(token).replaceAll(String(word_delimiter_token), " ") : token));
  },
  Replace({ pattern, content }) {
    const found = patternOf(pattern);
    return each((token) => token.replace(found, () => String(content)));
  },
  Strip({ content, start, stop }) {
    return each((token) => {
      const chars = Array.from(token);
      let [from, to] = [0, chars.length];
      while (from < Number(start) && chars[from] === content) from++;
      while (to > from && chars.length - to < Number(stop) && chars[to - 1] === content) to--;
      return chars.slice(from, to).join("");
    });
  },
  Fuse: () => (tokens) => [tokens.join("")],
  ByteFallback: () => joinBytes,
  Sequence({ decoders }) {
    const all = (decoders as Json[]).map(createDecoder);
    return (tokens) => all.reduce((parts, decode) => decode(parts), tokens);
  },
};

const utf8 = (bytes: readonly number[], fatal = false): string =>
  new TextDecoder("utf-8", { ignoreBOM: true, fatal }).decode(Uint8Array.from(bytes));

/** The byte that a token of byte fallback stands for; undefined for other tokens. */
export function fallbackByte(token: string): number | undefined {
  const [, digits] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? [];
  return digits === undefined ? undefined : parseInt(digits, 16);
}

/** Joins tokens that stand for bytes to a character or, if they are none, makes U+FFFD of each. */
function joinBytes(tokens: readonly string[]): string[] {
  const parts: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    try {
      if (bytes.length) parts.push(utf8(bytes, true));
    } catch {
      parts.push(...bytes.map(() => "\ufffd"));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = fallbackByte(token);
    if (byte !== undefined) bytes.push(byte);
    else {
      flush();
      parts.push(token);
    }
  }
  flush();
  return parts;
}

/** Takes spaces away from before punctuation and contractions (`clean_up_tokenization` of Transformers). */
export const cleanUp = (text: string): string =>
  text
    .replace(/ ([.?!,])/g, "$1")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replace(/ '(m|s|ve|re)/g, "'$1");
