import { f32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `groupnorm`, for tests and benches: B sentences of S rows, or of 1 to `most` in turn. */
export const args = ({ B, S, D, most, offset = 0, gain = 1 }: Size, random: () => number) => {
  const lengths = Array.from({ length: B }, (_, b) => S ?? (b % most) + 1);
  let end = 0;
  const spans = lengths.map((length) => [(end += length) - length, length]);
  return {
    spans: u32Rows(spans),
    x: f32([end, D], () => gain * random() + offset),
    gamma: f32([D], random),
    beta: f32([D], random),
  };
};

/** Scalars of `groupnorm`. */
export const values = () => ({ eps: 1e-5 });
