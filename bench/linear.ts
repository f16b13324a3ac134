import { ACTIVATION } from "../src/kernels/activation.js";
import { type Build, bothFormats, f32, noise, type Size } from "./harness.js";

/** The linear layers of a decoder step or an encoder layer on N rows; without `V` none for the vocabulary. */
export function layersOf(
  model: string, { N, D, F, V }: { readonly N: number; readonly D: number; readonly F: number; readonly V?: number },
): Record<string, Size> {
  return bothFormats({
    [`${model} qkv`]: { N, I: D, O: 3 * D },
    [`${model} out`]: { N, I: D, O: D, residual: 1 },
    [`${model} fc1`]: { N, I: D, O: F, activation: ACTIVATION.relu },
    [`${model} fc2`]: { N, I: F, O: D, residual: 1 },
    ...(V && { [`${model} lm_head`]: { N, I: D, O: V } }),
  });
}

/** Arguments of `matmul` and `matvec`. */
export const build: Build<"x" | "weight" | "bias" | "residual", "y"> = {
  args: ({ N, I, O, half, residual = 0 }, random) => ({
    x: noise("f32", [N, I], random),
    weight: noise(half ? "f16" : "f32", [O, I], random),
    bias: f32([O], random),
    residual: residual ? noise("f32", [N, O], random) : undefined,
    y: f32([N, O], () => 0), // J*O of the weight alone does not give O
  }),
  values: ({ activation = 0 }) => ({ J: 1, ACTIVATION: activation }),
  tolerance: 1e-4,
  small: { I: 64, O: 72 },
};
