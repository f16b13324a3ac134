import type { HostTensor } from "../core.js";
import type { Range } from "../text/letters.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Prompt } from "./text_inputs.js";

/** What a generated token looks at: the part of the text to which it attends most. */
export interface Alignment {
  /** The generated token. */
  readonly token_id: number;
  /** Its text, alone. */
  readonly token: string;
  /** The part of the text, as UTF-16 units count. */
  readonly start: number;
  /** Its end. */
  readonly end: number;
  /** The mean of the weights of all heads of all layers there. */
  readonly weight: number;
}

/** Finds the alignments of one result: that of row `row`, whose generated tokens are `ids`. */
export function alignmentsOf(
  { dims: [, L, H, T, S], data }: HostTensor,
  row: number,
  ids: readonly number[],
  { places, text, prefix }: Prompt,
  tokenizer: Tokenizer,
): Alignment[] {
  const weightAt = (t: number, s: number): number => {
    let sum = 0;
    for (let x = 0; x < L * H; x++) sum += data[((row * L * H + x) * T + t) * S + s];
    return sum;
  };
  return ids.flatMap((token_id, t): Alignment[] => {
    const token = tokenizer.decode([token_id], { skip_special_tokens: true });
    if (token === "") return [];
    const sums = places.map((place, s) => (place ? weightAt(t, s) : -1));
    const best = sums.reduce((most, sum, s) => (sum > sums[most] ? s : most), 0);
    const place = places[best];
    if (!place) return [];
    const [start, end] = trimmed(text, place);
    return [{ token_id, token, start: start - prefix, end: end - prefix, weight: sums[best] / (L * H) }];
  });
}

/** A range of a text without the white space at its ends. */
function trimmed(text: string, [start, end]: Range): Range {
  const part = text.slice(start, end);
  const first = part.length - part.trimStart().length;
  return part.trim() ? [start + first, start + part.trimEnd().length] : [start, end];
}
