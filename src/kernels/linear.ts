import type { Dims, Values } from "../runtime/kernel.js";
import { GROUP } from "../runtime/quant.js";
import { activate } from "./activation.js";

/** Weight formats by their value of WEIGHT_FORMAT. */
const BITS_OF = [32, 16, 8, 4] as const;

/**
 * What `matmul` and `matvec` share: one linear layer, two loop orders. J weight rows give an output: 2 of a gated pair, else 1.
 * A launch writes columns y_at .. y_at+O of y, so that a weight larger than one binding can be split by rows.
 */
export const linearReads = {
  x: "f32[N,I]",
  weight: "f32|f16|i8|i4[J*O,I]",
  bias: "f32[J*O]?",
  residual: "f32[N,Y]?",
} as const;

/** What `matmul` and `matvec` share of their objects. */
export const linearBase = {
  writes: { y: "f32[N,Y]" },
  bytes: ({ N, I, O, J, WEIGHT_FORMAT, HAS_BIAS, HAS_RESIDUAL }: Dims): number => {
    const weight = J * O * I * (BITS_OF[WEIGHT_FORMAT] / 8 + (WEIGHT_FORMAT < 2 ? 0 : 4 / GROUP));
    return weight + 4 * (N * I + N * O * (1 + HAS_RESIDUAL) + J * O * HAS_BIAS);
  },
  flops: ({ N, I, O, J }: Dims): number => 2 * N * I * O * J,
} as const;

/** Largest power of two that is at most `value`, between the limits. */
export const powerOfTwo = (value: number, least: number, most: number): number =>
  2 ** Math.floor(Math.log2(Math.max(least, Math.min(most, value))));

/** Weights that one load of 16 bytes brings. */
export const perLoad = ({ WEIGHT_FORMAT }: Dims): number => 128 / BITS_OF[WEIGHT_FORMAT];

export function linearCheck({ I, O, Y, y_at, WEIGHT_FORMAT }: Dims): string | undefined {
  if (I % 4) return `I must be a multiple of 4, got ${I}`;
  if (WEIGHT_FORMAT > 1 && I % GROUP) return `I must be a multiple of ${GROUP} for i8 and i4, got ${I}`;
  return y_at + O > Y ? `y_at + O must be at most Y=${Y}, got ${y_at} + ${O}` : undefined;
}

interface LinearArrays {
  x: Values;
  weight: Values;
  bias?: Values;
  residual?: Values;
  y: Values;
}

export function linearReference(
  { N, I, O, J, Y, y_at, ACTIVATION = 0 }: Dims,
  { x, weight, bias, residual, y }: LinearArrays,
): void {
  const row = (n: number, o: number): number => {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < I; i++) sum += x[n * I + i] * weight[o * I + i];
    return sum;
  };
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const at = n * Y + y_at + o;
      const gate = J === 2 ? row(n, 2 * o + 1) : 1;
      y[at] = activate(ACTIVATION, row(n, J * o)) * gate + (residual ? residual[at] : 0);
    }
  }
}
