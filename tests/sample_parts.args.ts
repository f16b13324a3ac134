import { args as drawn, values as rules } from "./sample.args.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `sample_parts`, for tests and benches: those of `sample`. */
export const args = (size: Size, random: () => number) => {
  const { rows, logits, status } = drawn({ ...size, parts: 0 }, random);
  return { rows, logits, status };
};

/** Scalars of `sample_parts` for the thresholds of a draw; with G and C, if they are given. */
export function values(size: Size) {
  const { G, C, temperature, seed } = rules(size);
  return { G: size.G ?? G, C: size.C ?? C, temperature, seed };
}
