import { type Change, changed, type Letters, textOf } from "./letters.js";

/**
 * The normaliser that SentencePiece compiles into a checkpoint (`precompiled_charsmap`, in base64): the length of a trie
 * in bytes, the trie as a double array of u32 (Darts: Yata et al. 2007), and the replacements, each ended by a zero. It
 * replaces what begins with a key of the trie: graphemes of fewer than 6 bytes, or else single characters.
 */
export function createPrecompiled(charsmap: string): (letters: Letters) => Letters {
  const bytes = Uint8Array.from(atob(charsmap), (char) => char.charCodeAt(0));
  const size = bytes.length ? new DataView(bytes.buffer).getUint32(0, true) : 0;
  const trie = new Uint32Array(bytes.slice(4, 4 + size).buffer);
  const values = bytes.subarray(4 + size);
  const replacementOf = (text: string): string | undefined => {
    const value = firstPrefix(trie, new TextEncoder().encode(text));
    return value === undefined ? undefined : new TextDecoder().decode(values.subarray(value, values.indexOf(0, value)));
  };
  const replacements = new Map<string, readonly string[]>(); // of graphemes, or of each of their characters
  const replacementsOf = (segment: string): readonly string[] => {
    const short = new TextEncoder().encode(segment).length < 6;
    const whole = short ? replacementOf(segment) : undefined;
    return whole === undefined ? Array.from(segment, (char) => replacementOf(char) ?? char) : [whole];
  };
  return (letters) => {
    const changes: Change[] = [];
    for (const segment of graphemesOf(textOf(letters))) {
      const texts = replacements.get(segment) ?? replacementsOf(segment);
      if (replacements.size < MOST_KEPT) replacements.set(segment, texts);
      const count = texts.length === 1 ? Array.from(segment).length : 1;
      for (const text of texts) replace(changes, count, text);
    }
    return changed(letters, changes);
  };
}

const MOST_KEPT = 10_000;

/** The graphemes of a text. Each step of a segmenter costs as much as its text is long, so it gets short ones. */
function graphemesOf(text: string): string[] {
  const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
  const graphemes: string[] = [];
  let size = 64;
  for (let from = 0; from < text.length;) {
    const found = Array.from(segmenter.segment(text.slice(from, from + size)), ({ segment }) => segment);
    if (from + size < text.length) {
      if (found.length === 1) size *= 2;
      found.pop(); // it may go on
    }
    for (const grapheme of found) {
      graphemes.push(grapheme);
      from += grapheme.length;
    }
  }
  return graphemes;
}

/** Adds the changes that replace `count` characters by others. */
function replace(changes: Change[], count: number, text: string): void {
  const chars = Array.from(text);
  chars.forEach((char, i) => changes.push({ char, change: i < count ? 0 : 1 }));
  const last = changes.pop();
  if (last) changes.push(chars.length < count ? { ...last, change: last.change + chars.length - count } : last);
}

/** The value of the shortest key that a text begins with. */
function firstPrefix(trie: Uint32Array, text: Uint8Array): number | undefined {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 512) >>> 6);
  let node = trie.length ? offset(trie[0]) : 0;
  for (const byte of text) {
    node ^= byte;
    const unit = trie[node] ?? 0;
    if (byte === 0 || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    node ^= offset(unit);
    if ((unit >>> 8) & 1) return trie[node] & 0x7fffffff;
  }
  return undefined;
}
