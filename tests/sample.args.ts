import { LOWEST } from "../src/kernels/constants.js";
import { f32, u32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `sample`, for tests and benches. Of `steps` values logits tie; the first `banned` ids are, and -inf is that of `minus`. */
export const args = (size: Size, random: () => number) => {
  const { R, V, position = 3, stride = 1, gain = 3, offset = 0, steps = 0, banned = 0, minus = -1, status } = size;
  return {
    rows: u32Rows(Array.from({ length: R }, (_, r) => [5, position + stride * r, 0, 6])),
    logits: f32([R, V], (i) => {
      if (i % V === minus) return -Infinity;
      const value = steps ? Math.floor(((random() + 1) / 2) * steps) : gain * random();
      return i % V < banned ? LOWEST : value + offset;
    }),
    status: status === undefined ? undefined : u32([2], () => status),
  };
};

/** Scalars of `sample`. */
export const values = ({ temperature = 1, top_k = 0, top_p = 1, min_p = 0, seed = 7 }: Size) => ({
  temperature,
  top_k,
  top_p,
  min_p,
  seed,
});
