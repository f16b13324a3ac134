import type { Values } from "../runtime/kernel.js";
import { NO_ID } from "./constants.js";
import { FLAG, mostHypotheses, ROW, ROW_FIELDS, type Settings } from "./search_state.js";
import { readSettings } from "./search_host.js";

/** The hash pcg4d of Jarzynski and Olano 2020, from four words to four. */
function pcg4d(words: readonly number[]): number[] {
  let [x, y, z, w] = words.map((word) => (Math.imul(word, 1664525) + 1013904223) >>> 0);
  const mix = (): void => {
    x = (x + Math.imul(y, w)) >>> 0;
    y = (y + Math.imul(z, x)) >>> 0;
    z = (z + Math.imul(x, y)) >>> 0;
    w = (w + Math.imul(y, z)) >>> 0;
  };
  mix();
  [x, y, z, w] = [x, y, z, w].map((word) => (word ^ (word >>> 16)) >>> 0);
  mix();
  return [x, y, z, w];
}

/** The exponentially distributed random number of a token: -log(1 - w) with w uniform. */
export function exponential(seed: number, row: number, position: number, id: number): number {
  const [x, y] = pcg4d([seed, row, position, id]);
  return -Math.log1p(-((x >>> 9) + ((y >>> 9) + 0.5) / 8388608) / 8388608);
}

/**
 * What the sentence of row r asks for, with the noise of its next token; undefined where the row is idle or takes the
 * best. Sentences have Y fields.
 */
export function drawOf(
  { rows, sentences }: Readonly<Record<"rows" | "sentences", Values>>,
  r: number,
  Y: number,
): (Settings & { noise(id: number): number }) | undefined {
  const sentence = rows[r * ROW_FIELDS + ROW.sentence];
  if (sentence === NO_ID) return undefined;
  const settings = readSettings(sentences, sentence, mostHypotheses(Y));
  if (!(settings.flags & FLAG.samples)) return undefined;
  const { seed, draw } = settings;
  const position = rows[r * ROW_FIELDS + ROW.position];
  return { ...settings, noise: (id) => -Math.log(exponential(seed, draw, position, id)) };
}
