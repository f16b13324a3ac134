import { randoms } from "../../tests/support/random.js";

/** A request: a row of tokens, and how many tokens its answer has; absent where the model ends it. */
export interface Request {
  readonly ids: readonly number[];
  readonly wanted?: number;
}

/** A log-normal distribution of whole numbers: its median, the deviation of its logarithm, and where it is cut. */
export interface Lengths {
  readonly median: number;
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
}

/** Lengths of prompts and of answers: most are short, some are long. */
export const PROMPTS: Lengths = { median: 16, deviation: 0.8, least: 2, most: 96 };
export const ANSWERS: Lengths = { median: 20, deviation: 0.6, least: 4, most: 64 };

/** How messages say a distribution. */
export const describeLengths = ({ median, deviation, least, most }: Lengths): string =>
  `log-normal, median ${median}, deviation ${deviation}, ${least} to ${most}`;

/** Numbers in (0, 1), the same for a seed. */
export function uniforms(seed: number): () => number {
  const random = randoms(seed);
  return () => (random() + 1 + 2 ** -31) / (2 + 2 ** -30);
}

/** Draws lengths of a distribution (Box and Muller 1958). */
function lengthsOf({ median, deviation, least, most }: Lengths, uniform: () => number): () => number {
  return () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return Math.min(most, Math.max(least, Math.round(median * Math.exp(deviation * normal))));
  };
}

/** Prompts of random ids below V, with answers of their own lengths. */
export function drawRequests(count: number, V: number, seed: number): Request[] {
  const uniform = uniforms(seed);
  const [prompt, answer] = [lengthsOf(PROMPTS, uniform), lengthsOf(ANSWERS, uniform)];
  return Array.from({ length: count }, () => ({
    ids: Array.from({ length: prompt() }, () => 1 + Math.floor(uniform() * (V - 1))),
    wanted: answer(),
  }));
}

/** Milliseconds between arrivals at a rate a second: those of a Poisson process. */
export function gapsOf(count: number, rate: number, seed: number): number[] {
  const uniform = uniforms(seed);
  return Array.from({ length: count }, () => (-1e3 * Math.log(uniform())) / rate);
}
