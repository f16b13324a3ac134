import { LOWEST } from "../src/kernels/constants.js";
import { f32, statusOf, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `topk`, for tests and benches. Of `steps` values logits tie; `slope` makes them rise or fall with the id; the first
 * `banned` ids are, and -inf is that of `minus`.
 */
export const args = (size: Size, random: () => number) => {
  const { R, V, offset = 0, gain = 8, steps = 0, slope = 0, banned = 0, minus = 0, status } = size;
  return {
    logits: f32([R, V], (i) => {
      if (minus && i % V === minus) return -Infinity;
      if (i % V < banned) return LOWEST;
      return offset + slope * (i % V) + (steps ? Math.floor(((random() + 1) / 2) * steps) : gain * random());
    }),
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** Constants of `topk`. */
export const values = ({ G, C }: Size) => ({ G, C });
