import { NO_ID } from "../src/kernels/constants.js";
import { f32, statusOf, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `attention_merge`, for tests and benches: rows at `position` and every 50 tokens after it, whose parts have scores from
 * -`gain` to `gain`. Every third row is `idle`.
 */
export const args = ({ R, M, H, E, position = M - 1, gain = 1, idle = 0, status }: Size, random: () => number) => ({
  rows: u32Rows(Array.from({ length: R }, (_, r) => [5, (position + 50 * r) % M, idle && r % 3 === 1 ? NO_ID : r, 6])),
  parts: f32([R, H * widthOf(M, E)], (i) => {
    const field = (i % (E + 8)) - E;
    return field < 0 ? random() : field < 4 ? gain * random() : 2 + random();
  }),
  status: status === undefined ? undefined : statusOf(status),
  out: idle ? f32([R, H * E], () => 7) : undefined,
});

const widthOf = (M: number, E: number): number => Math.ceil(M / 64) * (E + 8);

/** Scalars and constants of `attention_merge`. */
export const values = ({ M, H, E }: Size) => ({ H, E, Y: widthOf(M, E) });
