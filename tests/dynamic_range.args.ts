import { f32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `dynamic_range`, for tests and benches: values from -10 to 2. */
export const args = ({ N, T, C, peak = 2 }: Size, random: () => number) => ({
  x: f32([N, C], () => -4 + 6 * random()),
  peak: f32([1, 1], () => peak),
  out: f32([T, C], () => 0),
});

/** Scalars of `dynamic_range`. */
export const values = () => ({ range: 8, silence: -10 });
