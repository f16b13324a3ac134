import { randoms } from "./random.js";

/** Random token rows of these lengths, from the whole vocabulary. */
export function randomRows(lengths: readonly number[], seed: number, V: number): number[][] {
  const random = randoms(seed);
  return lengths.map((length) => Array.from({ length }, () => Math.floor(((random() + 1) / 2) * V)));
}

/** Pads rows to equal length, and gives their mask. */
export function padded(rows: readonly (readonly number[])[], side: "left" | "right", filler = 0) {
  const width = Math.max(...rows.map(({ length }) => length));
  const pad = (row: readonly number[], value: number): number[] => {
    const rest = Array<number>(width - row.length).fill(value);
    return side === "left" ? [...rest, ...row] : [...row, ...rest];
  };
  const ones = rows.map((row) => row.map(() => 1));
  return { input_ids: rows.map((row) => pad(row, filler)), attention_mask: ones.map((row) => pad(row, 0)) };
}
