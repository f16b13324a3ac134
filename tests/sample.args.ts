import { LOWEST } from "../src/kernels/constants.js";
import { partsOfDraw, sampleParts } from "../src/kernels/sample_parts.js";
import { f32, type Filled, statusOf, u32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `sample`, for tests and benches. Of `steps` values logits tie; the first `banned` ids are, and -inf is that of `minus`.
 * What `sample_parts` makes of them is among them, unless `parts` is 0. */
export const args = (size: Size, random: () => number) => {
  const { R, V, position = 3, stride = 1, gain = 3, offset = 0, steps = 0, banned = 0, minus = -1, status } = size;
  const given = {
    rows: u32Rows(Array.from({ length: R }, (_, r) => [5, position + stride * r, 0, 6])),
    logits: f32([R, V], (i) => {
      if (i % V === minus) return -Infinity;
      const value = steps ? Math.floor(((random() + 1) / 2) * steps) : gain * random();
      return i % V < banned ? LOWEST : value + offset;
    }),
    status: status === undefined ? undefined : statusOf(status),
  };
  return { ...given, ...partsOf(size, given) };
};

/** What `sample_parts` makes of these logits. */
function partsOf(size: Size, { rows, logits }: Readonly<Record<"rows" | "logits", Filled>>) {
  const { R, V } = size;
  const { G, C, temperature, seed } = values(size);
  if (G === 0) return {};
  const sums = f32([R, G, C + 2], () => 0);
  const picks = u32([R, G, 2 * C + 1], () => 0);
  const data = { rows: rows.data, logits: logits.data, sums: sums.data, picks: picks.data };
  sampleParts.reference({ R, V, G, C, temperature, seed }, data);
  return { sums, picks };
}

/** Scalars of `sample`. */
export function values(size: Size) {
  const { V, temperature = 1, top_k = 0, top_p = 1, min_p = 0, seed = 7, parts = Math.min(5, Math.ceil(V / 4)) } = size;
  const { G, C } = parts
    ? partsOfDraw(V, { top_k, top_p, min_p }, Math.max(parts, Math.ceil(V / 512)))
    : { G: 0, C: 0 };
  return { G, C, temperature, top_k, top_p, min_p, seed };
}
