import { InputError, show } from "../runtime/errors.js";
import type { TokenRows } from "./inputs.js";

const isRow = (row: unknown): row is TokenRows[number] =>
  Array.isArray(row) || (ArrayBuffer.isView(row) && "length" in row);

/** The caller's rows, as they are; undefined when they are none. */
export function asRows(rows: unknown): TokenRows | undefined {
  // Array.from makes undefined of a hole, which `every` would skip.
  return Array.isArray(rows) && Array.from(rows as unknown[]).every(isRow) ? (rows as TokenRows) : undefined;
}

/** The number of a value; NaN for what is no number. */
export const readNumber = (value: unknown): number =>
  typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN;

/** Lists of any kind, and lists of such lists, as arrays of numbers; anything else as it is. */
export const plainLists = (value: unknown): unknown => plainList(value, (item) => plainList(item, plainNumber));

const plainNumber = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);
const plainList = (value: unknown, item: (value: unknown) => unknown): unknown =>
  isRow(value) ? Array.from<unknown, unknown>(value, item) : plainNumber(value);

/** Lists of token ids, which may be empty. Throws InputError for anything else. */
export function readLists(name: string, rows: unknown, V: number): number[][] {
  const lists = asRows(rows);
  if (!lists) throw new InputError(`${name}: must be a list of lists of token ids, got ${show(rows)}`);
  return lists.map((row, r) => readList(name, row, V, ` in row ${r}`));
}

/** A list of whole numbers from 0 to size-1. Throws InputError for anything else. */
export function readList(name: string, list: unknown, size: number, where = ""): number[] {
  if (!isRow(list)) throw new InputError(`${name}: must be a list of whole numbers, got ${show(list)}`);
  const ids = Array.from(list, readNumber);
  checkIds(name, list, ids, size, where);
  return ids;
}

/** Throws InputError for an id outside 0 to size-1, as it stands in the caller's list. */
export function checkIds(
  name: string,
  list: ArrayLike<unknown>,
  ids: readonly number[],
  size: number,
  where: string,
): void {
  const bad = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= size);
  if (bad >= 0)
    throw new InputError(`${name}: ids must be whole numbers from 0 to ${size - 1}, got ${show(list[bad])}${where}`);
}
