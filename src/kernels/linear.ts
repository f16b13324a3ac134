import type { Dims, Values } from "../runtime/kernel.js";
import { activate } from "./activation.js";

/** What `matmul` and `matvec` share: one linear layer, two loop orders. J weight rows give an output: 2 of a gated pair, else 1. */
export const linearPatterns = {
  reads: { x: "f32[N,I]", weight: "f32|f16[J*O,I]", bias: "f32[J*O]?", residual: "f32[N,O]?", status: "u32[2]?" },
  writes: { y: "f32[N,O]" },
  params: ["J"],
  constants: ["ACTIVATION"],
} as const;

export const linearBytes = ({ N, I, O, J, WEIGHT_FORMAT, HAS_BIAS, HAS_RESIDUAL }: Dims): number =>
  J * O * I * (WEIGHT_FORMAT ? 2 : 4) + 4 * (N * I + N * O * (1 + HAS_RESIDUAL) + J * O * HAS_BIAS);

export const linearFlops = ({ N, I, O, J }: Dims): number => 2 * N * I * O * J;

export const linearCheck = ({ I }: Dims): string | undefined =>
  I % 4 ? `I must be a multiple of 4, got ${I}` : undefined;

interface LinearArrays {
  x: Values;
  weight: Values;
  bias?: Values;
  residual?: Values;
  y: Values;
}

export function linearReference(
  { N, I, O, J, ACTIVATION = 0 }: Dims,
  { x, weight, bias, residual, y }: LinearArrays,
): void {
  const row = (n: number, o: number): number => {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < I; i++) sum += x[n * I + i] * weight[o * I + i];
    return sum;
  };
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const gate = J === 2 ? row(n, 2 * o + 1) : 1;
      y[n * O + o] = activate(ACTIVATION, row(n, J * o)) * gate + (residual ? residual[n * O + o] : 0);
    }
  }
}
