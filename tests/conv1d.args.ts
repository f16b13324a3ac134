import { bf16, f16, f32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Values of `format`. */
export const [full, half, brain] = [0, 1, 2];

/** Sequences of `lengths` rows, two digits of it a sequence, so that 120301 are 12, 3 and 1; one of S rows when S is given. */
function lengthsOf({ lengths = 0, S }: Size): number[] {
  if (S) return [S];
  const found: number[] = [];
  for (let left = lengths; left > 0; left = Math.floor(left / 100)) found.unshift(left % 100);
  return found;
}

/** Arguments of `conv1d`, for tests and benches. */
export const args = (size: Size, random: () => number) => {
  const { I, O, stride = 1, format = full, bias = 1, positions = 0, offset = 0 } = size;
  const inputs = lengthsOf(size);
  const rows = inputs.flatMap((count, b) =>
    Array.from({ length: Math.ceil(count / Math.max(1, stride)) }, (_, position) => [7, position, b, 9]),
  );
  let S = 0;
  const spans = inputs.map((count) => [(S += count) - count, count]);
  return {
    rows: u32Rows(rows),
    spans: u32Rows(spans),
    x: f32([S, I], () => random() + offset),
    weight: [f32, f16, bf16][format]([O, I, 3], random),
    bias: bias ? f32([O], random) : undefined,
    positions: positions ? f32([Math.ceil(Math.max(...inputs) / stride), O], random) : undefined,
  };
};

/** Scalars and constants of `conv1d`. */
export const values = ({ stride = 1, activation = 0 }: Size) => ({ STRIDE: stride, ACTIVATION: activation });
