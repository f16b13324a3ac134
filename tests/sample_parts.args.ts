import { args as drawn, values as sizes } from "./sample.args.js";
import { f32, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `sample_parts`, for tests and benches: those of `sample`. What is written was not 0 before. */
export const args = (size: Size, random: () => number) => {
  const { rows, sentences, logits, status } = drawn({ ...size, parts: 0 }, random);
  const { P, X } = values(size);
  const written = {
    sums: f32([size.R, P, X + 2], (i) => 7 + (i % 3)),
    picks: u32([size.R, P, 2 * X + 1], (i) => 9 + (i % 3)),
  };
  return { rows, sentences, logits, status, ...written };
};

/** Sizes of `sample_parts` for the thresholds of a draw, or those that are given. */
export function values(size: Size) {
  const { P, X } = sizes({ ...size, parts: size.P });
  return { P: size.P ?? P, X: size.X ?? X };
}
