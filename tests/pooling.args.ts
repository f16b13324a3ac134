import { f32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `pooling`, for tests and benches: B sentences of S rows, or of 1 to `most` in turn with a row of nobody's before each. */
export const args = ({ B, S, D, most, offset = 0, zero = 0 }: Size, random: () => number) => {
  const lengths = Array.from({ length: B }, (_, b) => S ?? (b % most) + 1);
  const gap = Number(S === undefined);
  let end = 0;
  const spans = lengths.map((length) => [(end += gap + length) - length, length]);
  return { x: f32([end, D], () => (zero ? 0 : random() + offset)), spans: u32Rows(spans) };
};

/** Constants of `pooling`. */
export const values = ({ mode = 0, normalize = 0 }: Size) => ({ MODE: mode, NORMALIZE: normalize });
