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
  const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
  return (letters) => {
    const changes: Change[] = [];
    for (const { segment } of segmenter.segment(textOf(letters))) {
      const short = new TextEncoder().encode(segment).length < 6;
      const whole = short ? replacementOf(segment) : undefined;
      if (whole !== undefined) replace(changes, Array.from(segment).length, whole);
      else for (const char of segment) replace(changes, 1, replacementOf(char) ?? char);
    }
    return changed(letters, changes);
  };
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
