import { SplitPreTokenizer } from "@huggingface/tokenizers";

/** A pattern as `tokenizer.json` holds it: a text, or a regular expression of Oniguruma. */
export type PatternLike = { readonly String: string } | { readonly Regex: string };

/** A pattern as a regular expression with flags `gu`. Throws SyntaxError when it cannot be translated. */
export function patternOf(pattern: PatternLike): RegExp {
  const { pattern: found } = new SplitPreTokenizer({ type: "Split", pattern, behavior: "Isolated", invert: true });
  if (!found) throw new SyntaxError("a pattern must hold String or Regex");
  return found;
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
