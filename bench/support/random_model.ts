import type { Json } from "../../src/model/checkpoint/checkpoint.js";
import type { Weights } from "../../src/model/checkpoint/weights.js";
import type { Core } from "../../src/model/core.js";
import type { Family } from "../../src/model/families/family.js";
import { createIdleCache } from "../../src/model/idle.js";
import type { Gpu } from "../../src/runtime/gpu.js";
import { type Tensor, tensor } from "../../src/runtime/tensor.js";
import { randoms } from "../../tests/support/harness.js";
import { f32 } from "../../tests/support/launch.js";
import { roomy } from "../../tests/support/safetensors.js";

/** A model of a family with meaningless weights, of about the size that keeps states of theirs. */
export function openRandom(gpu: Gpu, family: Family, config: Json): Core {
  const architecture = family.architecture(config, roomy);
  const random = randoms(5);
  const made = new Map<string, Tensor>();
  for (const { ours, shape } of family.rows(architecture, config, roomy)) {
    const t = tensor(ours, "f32", shape, "weight");
    const { data } = f32(shape, random);
    const scale = shape.length > 1 ? shape[shape.length - 1] ** -0.5 : 0.1;
    gpu.write(
      t,
      (data as Float32Array<ArrayBuffer>).map((value) => value * scale),
    );
    made.set(ours, t);
  }
  const get = (name: string): Tensor => made.get(name) as Tensor;
  const parts = (name: string): Tensor[] => [made.get(name)].filter((t) => t !== undefined);
  const weights: Weights = { get, find: (name) => made.get(name), parts, tensors: new Set(made.values()), unused: [] };
  return { gpu, architecture, weights, idle: createIdleCache(4) };
}
