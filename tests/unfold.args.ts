import { f32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Sequences of `lengths` frames, two digits of it a sequence, so that 120301 are 12, 3 and 1; one of S frames when S is given. */
function lengthsOf({ lengths = 0, S }: Size): number[] {
  if (S) return [S];
  const found: number[] = [];
  for (let left = lengths; left > 0; left = Math.floor(left / 100)) found.unshift(left % 100);
  return found;
}

/** Arguments of `unfold`, for tests and benches. */
export const args = (size: Size, random: () => number) => {
  const { I, taps = 3, stride = 1, pad = 0 } = size;
  const inputs = lengthsOf(size);
  const rows = inputs.flatMap((count, b) =>
    Array.from({ length: Math.floor((count + 2 * pad - taps) / Math.max(1, stride)) + 1 }, (_, t) => [7, t, b, 9]),
  );
  let S = 0;
  const spans = inputs.map((count) => [(S += count) - count, count]);
  return { rows: u32Rows(rows), spans: u32Rows(spans), x: f32([S, I], random) };
};

/** Constants of `unfold`. */
export const values = ({ taps = 3, stride = 1, pad = 0 }: Size) => ({ TAPS: taps, STRIDE: stride, PAD: pad });
