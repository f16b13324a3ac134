import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";

/**
 * A pattern of `tokenizer.json`, a text (`String`) or a regular expression of Oniguruma (`Regex`), as a regular
 * expression with flags `gu`. Throws CheckpointError for anything else, and SyntaxError when it cannot be translated.
 */
export function patternOf(pattern: unknown): RegExp {
  const { String: text, Regex } = (pattern ?? {}) as Json;
  if (typeof text !== "string" && typeof Regex !== "string")
    throw new CheckpointError(`a pattern must be a text or a regular expression, got ${show(pattern)}`);
  const split = new SplitPreTokenizer({ type: "Split", pattern: pattern as never, behavior: "Isolated", invert: true });
  return split.pattern as RegExp;
}

/** The letter of each byte: itself where it is visible, else one from U+0100 on (Radford et al. 2019). */
const LETTERS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : next++),
  );
})();

const BYTES: ReadonlyMap<string, number> = new Map(LETTERS.map((letter, byte) => [letter, byte]));

/** A text in the byte-level alphabet, a letter for each byte of its UTF-8. */
export function spellBytes(text: string): string {
  if (text.length === 1 && text < "\x80") return LETTERS[text.charCodeAt(0)];
  return Array.from(new TextEncoder().encode(text), (byte) => LETTERS[byte]).join("");
}

/** The bytes of a byte-level token; of a token in other letters, its UTF-8. */
export function bytesOf(token: string): Iterable<number> {
  const bytes = Array.from(token, (letter) => BYTES.get(letter));
  return bytes.includes(undefined) ? new TextEncoder().encode(token) : (bytes as number[]);
}
