import type { Gpu } from "./gpu.js";
import type { Patterns } from "./kernel.js";
import { type Grid, gridOf } from "./launches.js";
import { codeOf, shaderOf, textOf } from "./pipelines.js";
import type { Launch, Plan } from "./plan.js";
import type { Tensor } from "./tensor.js";

/** How a launch of a plan runs on a device. */
export interface LaunchDescription {
  /** The name of the kernel. */
  readonly kernel: string;
  /** Its place in the model. */
  readonly label: string;
  /** The variant that runs, as the device chooses it. */
  readonly variant: string;
  /** Workgroups in two dimensions. A launch of much work is cut by rows, and its parts have as many together. */
  readonly groups: Grid;
  /** The least work that it must do. */
  readonly bytes: number;
  /** The least that it computes. */
  readonly flops: number;
  /** Its arguments by name. */
  readonly reads: Readonly<Record<string, Tensor>>;
  /** Tensors that it writes. */
  readonly writes: Readonly<Record<string, Tensor>>;
  /** The text that is compiled for it, in WGSL. */
  readonly wgsl: string;
}

/**
 * Says of each launch of a plan how it runs on a device, without running it. `profile` has the times.
 * @example
 * const device = await gpu();
 * const model = await load("models/bert-pos", { gpu: device });
 * const [{ plan }] = await model.run((core) => samplePlans(core, 16));
 * for (const { label, variant, groups } of describePlan(device, plan)) console.log(label, variant, groups.x);
 */
export const describePlan = (gpu: Gpu, { launches }: Plan): LaunchDescription[] =>
  launches.map((launch) => {
    const { kernel, label, dims } = launch;
    const choice = gpu.choose(kernel, dims);
    const { variant } = choice;
    return {
      kernel: kernel.name,
      label,
      variant: variant.name,
      groups: gridOf(choice, undefined, 1),
      bytes: kernel.bytes(dims),
      flops: kernel.flops(dims),
      reads: argumentsOf(launch, kernel.reads),
      writes: argumentsOf(launch, kernel.writes),
      get wgsl() {
        return codeOf(kernel, choice, shaderOf(kernel, textOf(variant, choice.dims)), gpu.class);
      },
    };
  });

/** The arguments of some patterns that are given. */
const argumentsOf = ({ tensors }: Launch, patterns: Patterns): Record<string, Tensor> =>
  Object.fromEntries(
    Object.keys(patterns).flatMap((name) => {
      const given = tensors[name];
      return given ? [[name, given]] : [];
    }),
  );
