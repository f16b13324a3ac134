import { InputError, show } from "../runtime/errors.js";
import type { Architecture, Stack } from "./graph/architecture.js";
import { asRows, checkIds, readList, readNumber } from "./lists.js";
import { type EncoderInput, lengthOf, longest, type TokenLists, type TokenRows } from "./inputs.js";

/** Token rows without what their masks leave out, and what is needed to put results back in their places. */
export interface Sequences {
  /** The tokens of each row: what the model reads. */
  readonly ids: TokenLists;
  /** The column of each token in the caller's row. */
  readonly columns: TokenLists;
  /** Each row as the caller gave it up to its last token, with what is masked. */
  readonly given: TokenLists;
  /** The ids of the vocabulary that `given` has and `ids` has not. */
  readonly masked: TokenLists;
  /** Length of the caller's longest row. */
  readonly width: number;
}

/** What rows may hold. */
export interface RowLimits {
  /** The size of the vocabulary. */
  readonly V: number;
  /** The most tokens of a row; padding is none. */
  readonly P: number;
  /**
   * What a mask with holes between tokens means: "drop": the row is read as if they were not there; "keep": tokens keep
   * their distance. Without either such masks are refused.
   */
  readonly holes?: "drop" | "keep";
  /** Without a mask, ids equal to this one are padding, as `generate()` of Transformers has it. */
  readonly pad?: number;
  /** What messages call the mask. Default "attention_mask". */
  readonly maskName?: string;
}

/**
 * Checks token rows and strips what their masks leave out. Throws InputError with the row for an empty batch or row, ids
 * that are not in the vocabulary, rows that are too long, masks of another shape or with holes.
 */
export function readSequences(name: string, rows: unknown, masks: unknown, limits: RowLimits): Sequences {
  const lists = asRows(rows);
  if (!lists) throw new InputError(`${name}: must be a list of lists of token ids, got ${show(rows)}`);
  if (lists.length === 0) throw new InputError(`${name}: must hold at least one row, got an empty batch`);
  const maskName = limits.maskName ?? "attention_mask";
  const bits = masks === undefined ? undefined : readBeside(maskName, masks, lists, name, "0 and 1", readBit);
  const read = lists.map((row, r) => readRow(name, r, row, bits?.[r], { ...limits, maskName }));
  return {
    ids: read.map(({ ids }) => ids),
    columns: read.map(({ columns }) => columns),
    given: read.map(({ given }) => given),
    masked: read.map(({ masked }) => masked),
    width: longest(lists),
  };
}

/**
 * Throws InputError for a sequence that an encoder cannot take: ids, segments or positions outside their tables, none at
 * all, or too many.
 */
export function checkSequence({ V, encoder, decoder }: Architecture, input: EncoderInput, row: number): void {
  const { P, V: own = V, segments = 1, stem } = (encoder ?? decoder) as Stack;
  const length = lengthOf(input);
  if ("signal" in input) {
    if (!stem) throw new InputError(`encoder: row ${row} must be token ids or features, this model reads no signals`);
    const { least, most } = stem;
    if (input.frames >= least && input.frames <= most) return;
    throw new InputError(`${stem.input}: row ${row} must have ${least} to ${most} frames, got ${input.frames}`);
  }
  if (length < 1 || length > P)
    throw new InputError(`encoder: row ${row} must have 1 to ${P} tokens (max_position_embeddings), got ${length}`);
  if (!encoder && (!("ids" in input) || input.positions))
    throw new InputError(
      `decoder: row ${row} must be token ids at positions from 0; leave out inputs_embeds and position_ids`,
    );
  if (!("ids" in input)) return;
  const beside = [
    ["token_type_ids", input.segments, segments],
    ["position_ids", input.positions, P],
  ] as const;
  readList("input_ids", input.ids, own, ` in row ${row}`);
  for (const [name, list, size] of beside) if (list) readList(name, list, size, ` in row ${row}`);
}

/** The sources and limits of whole numbers that stand beside token ids. */
interface Beside {
  readonly name: string;
  readonly rows: unknown;
  readonly least: number;
  readonly most: number;
}

/**
 * Checks whole numbers that stand beside `input_ids` (segments, positions) and strips them as these are; undefined when
 * there are none. Throws InputError with the row.
 */
export function readNumbersBeside(sequences: Sequences, { name, rows, least, most }: Beside): TokenLists | undefined {
  if (rows === undefined) return undefined;
  const { columns, given, width } = sequences;
  const words = `whole numbers from ${least} to ${most}`;
  const lists = asRows(rows);
  if (lists?.length !== given.length)
    throw new InputError(
      `${name}: must have the ${given.length} rows of input_ids, got ${lists?.length ?? show(rows)}`,
    );
  return columns.map((own, b) =>
    own.map((column) => {
      const value = readNumber(lists[b][column]);
      if (Number.isInteger(value) && value >= least && value <= most) return value;
      throw new InputError(`${name}: must be ${words} in rows of ${width}, got ${show(lists[b][column])} in row ${b}`);
    }),
  );
}

const readBit = (value: unknown): number => {
  const bit = typeof value === "boolean" ? Number(value) : readNumber(value);
  return bit === 0 || bit === 1 ? bit : NaN;
};

/** Rows of the shape of `lists`, each value read; a value read as NaN is refused. */
function readBeside(
  name: string,
  rows: unknown,
  lists: TokenRows,
  of: string,
  words: string,
  read: (value: unknown) => number,
): TokenLists {
  const own = asRows(rows);
  if (own?.length !== lists.length)
    throw new InputError(`${name}: must have the ${lists.length} rows of ${of}, got ${own?.length ?? show(rows)}`);
  return own.map((row, r) => {
    if (row.length !== lists[r].length)
      throw new InputError(`${name}: row ${r} must have the ${lists[r].length} entries of ${of}, got ${row.length}`);
    return Array.from(row, (value) => {
      const found = read(value);
      if (Number.isNaN(found)) throw new InputError(`${name}: must hold ${words}, got ${show(value)} in row ${r}`);
      return found;
    });
  });
}

interface ReadRow {
  readonly ids: number[];
  readonly columns: number[];
  readonly given: number[];
  readonly masked: number[];
}

type Named<T> = T & { readonly maskName: string };

function readRow(
  name: string,
  r: number,
  row: ArrayLike<number | bigint>,
  bits: readonly number[] | undefined,
  limits: Named<RowLimits>,
): ReadRow {
  const { V, P, holes, pad } = limits;
  const all = Array.from(row, readNumber);
  const odd = all.findIndex((id) => !Number.isInteger(id));
  if (odd >= 0 && bits?.[odd] === 0)
    throw new InputError(`${name}: what is masked must be whole numbers too, got ${show(row[odd])} in row ${r}`);
  const inferred = bits === undefined && pad !== undefined && all.some((id) => id !== pad);
  const isToken = (id: number, t: number): boolean => (inferred ? id !== pad : bits?.[t] !== 0);
  const columns = [...all.keys()].filter((t) => isToken(all[t], t));
  const ids = columns.map((t) => all[t]);
  if (ids.length === 0) throw new InputError(`${name}: row ${r} must hold at least one token, got none`);
  const [first, last] = [columns[0], columns[columns.length - 1]];
  const hole = columns.findIndex((column, t) => column !== first + t);
  if (hole >= 0 && !holes) throw holeError(name, r, first + hole, inferred, limits);
  const length = holes === "keep" ? last + 1 - first : ids.length;
  if (length > P)
    throw new InputError(
      `${name}: row ${r} must have at most ${P} tokens (max_position_embeddings), got ${length}; split or shorten it`,
    );
  checkIds(
    name,
    columns.map((t) => row[t]),
    ids,
    V,
    ` in row ${r}`,
  );
  const given = all.slice(0, last + 1);
  const isMasked = (id: number, t: number): boolean => !isToken(id, t) && id >= 0 && id < V;
  return { ids, columns, given, masked: given.filter(isMasked) };
}

function holeError(
  name: string,
  r: number,
  at: number,
  inferred: boolean,
  { pad, maskName }: Named<RowLimits>,
): InputError {
  return new InputError(
    inferred
      ? `${name}: pad_token_id=${pad} must be at one end of a row or both, row ${r} has it at ${at}; give ${maskName}`
      : `${maskName}: a row's padding must be at one end or both, row ${r} has a hole at ${at}`,
  );
}
