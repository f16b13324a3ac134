import { LOWEST, NO_ID } from "../src/kernels/constants.js";
import { idleSentence, packSentence } from "../src/kernels/search_host.js";
import { FLAG, PLAIN, type Settings, sentenceWidth } from "../src/kernels/search_state.js";
import { f32, statusOf, u32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

const A = 2;

/** A row of each of these sentences; the first field of a row is its token. `idle` has those that have no row. */
export function rowsOf(sentences: readonly (Partial<Settings> | undefined)[], positions: (r: number) => number) {
  const start = { length: 3, start: 1, limit: 9, beams: [] };
  const packed = sentences.map((settings, first) =>
    settings ? packSentence({ ...start, settings: { ...PLAIN, first, ...settings } }, A) : idleSentence(A),
  );
  return {
    rows: u32Rows(sentences.map((settings, r) => [5, positions(r), settings ? r : NO_ID, 6])),
    sentences: u32(
      [packed.length, sentenceWidth(A)],
      (i) => packed[Math.floor(i / sentenceWidth(A))][i % sentenceWidth(A)],
    ),
  };
}

/** Rows of which some are idle, some draw, and others want from one candidate to all. */
const kinds = ({ R, C }: Size) =>
  Array.from(
    { length: R },
    (_, r) => [{ C }, { C: 1 }, undefined, { C: 1, flags: FLAG.samples }, { C: Math.ceil(C / 2) }][r % 5],
  );

/**
 * Arguments of `topk`, for tests and benches. Of `steps` values logits tie; `slope` makes them rise or fall with the id; the first
 * `banned` ids are, and -inf is that of `minus`. With `rows` some of them are idle, and with `mixed` their sentences want
 * different things; what was there before is not 0 then.
 */
export const args = (size: Size, random: () => number) => {
  const { R, V, G, C, offset = 0, gain = 8, steps = 0, slope = 0, banned = 0, minus = 0, status } = size;
  const { rows, sentences } = rowsOf(kinds(size), (r) => r);
  return {
    ...(size.rows || size.mixed ? { rows } : {}),
    ...(size.mixed ? { sentences } : {}),
    logits: f32([R, V], (i) => {
      if (minus && i % V === minus) return -Infinity;
      if (i % V < banned) return LOWEST;
      return offset + slope * (i % V) + (steps ? Math.floor(((random() + 1) / 2) * steps) : gain * random());
    }),
    status: status === undefined ? undefined : statusOf(status),
    ...(size.rows || size.mixed
      ? { values: f32([R, G, C + 2], (i) => 7 + (i % 3)), indices: u32([R, G, C], (i) => 9 + (i % 3)) }
      : {}),
  };
};

/** Sizes of `topk`. */
export const values = ({ G, C }: Size) => ({ G, C });
