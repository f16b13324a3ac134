import type { Dims, Values } from "../runtime/kernel.js";
import { activate } from "./activation.js";

/** What `matmul` and `matvec` share: one linear layer, two loop orders. */
export const linearPatterns = {
  reads: { x: "f32[N,I]", weight: "f32|f16[O,I]", bias: "f32[O]?", residual: "f32[N,O]?", status: "u32[2]?" },
  writes: { y: "f32[N,O]" },
} as const;

export const linearBytes = ({ N, I, O, WEIGHT_FORMAT, HAS_BIAS, HAS_RESIDUAL }: Dims): number =>
  O * I * (WEIGHT_FORMAT ? 2 : 4) + 4 * (N * I + N * O * (1 + HAS_RESIDUAL) + O * HAS_BIAS);

export const linearFlops = ({ N, I, O }: Dims): number => 2 * N * I * O;

export const linearCheck = ({ I }: Dims): string | undefined => (I % 4 ? `I must be a multiple of 4, got ${I}` : undefined);

interface LinearArrays {
  x: Values;
  weight: Values;
  bias?: Values;
  residual?: Values;
  y: Values;
}

export function linearReference({ N, I, O, ACTIVATION = 0 }: Dims, { x, weight, bias, residual, y }: LinearArrays): void {
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      let sum = bias ? bias[o] : 0;
      for (let i = 0; i < I; i++) sum += x[n * I + i] * weight[o * I + i];
      y[n * O + o] = activate(ACTIVATION, sum) + (residual ? residual[n * O + o] : 0);
    }
  }
}
