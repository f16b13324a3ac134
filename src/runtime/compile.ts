import { WgformerError } from "./errors.js";
import type { Dims, Kernel, Variant } from "./kernel.js";
import type { Pipelines } from "./pipelines.js";
import type { Launch } from "./plan.js";
import type { Choice } from "./variants.js";

/** A variant that the compiler of a device refused, and the one that runs from then on. */
export interface Fallback {
  /** The kernel of both. */
  readonly kernel: string;
  /** The variant that does not compile. */
  readonly from: string;
  /** The one that runs instead. */
  readonly to: string;
  /** What the compiler said. */
  readonly message: string;
}

/** Chooses the variant in which a launch runs, other than those in `without` if there is one. */
export type Choose = (kernel: Kernel, dims: Dims, without?: ReadonlySet<Variant>) => Choice;

/** A launch that is compiled. */
export interface Compiled {
  readonly choice: Choice;
  readonly pipeline: GPUComputePipeline;
}

/** How launches are compiled on a device. */
export interface CompileContext {
  readonly pipelines: Pipelines;
  readonly choose: Choose;
  /** Throws DeviceError when the device was lost or disposed. */
  healthy(): void;
  /** Remembers a variant that does not compile here. */
  refuse(variant: Variant, fallback: Fallback): void;
}

/**
 * The pipeline of a launch in the chosen variant, or in the next one that the compiler takes. Throws DeviceError when it
 * takes none, and remembers nothing then: what failed may have been the moment.
 */
export async function compileLaunch(context: CompileContext, { kernel, dims }: Launch): Promise<Compiled> {
  const { pipelines, choose, healthy, refuse } = context;
  const failed = new Map<Variant, WgformerError>();
  for (;;) {
    const choice = choose(kernel, dims, new Set(failed.keys()));
    const { variant } = choice;
    if (failed.has(variant)) throw [...failed.values()].at(-1) as WgformerError; // there is no other
    try {
      const pipeline = await pipelines.get(kernel, choice);
      for (const [from, { message }] of failed)
        refuse(from, { kernel: kernel.name, from: from.name, to: variant.name, message });
      return { choice, pipeline };
    } catch (error) {
      healthy();
      if (!(error instanceof WgformerError)) throw error;
      failed.set(variant, error);
    }
  }
}
