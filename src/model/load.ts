import { type Gpu, gpu as openGpu } from "../runtime/gpu.js";
import { type CheckpointLike, type LoadHooks, openCheckpoint } from "./checkpoint/checkpoint.js";
import { shareTied } from "./checkpoint/ties.js";
import { loadWeights, type WeightFormat } from "./checkpoint/weights.js";
import type { Core } from "./core.js";
import { describeCheckpoint } from "./families/index.js";
import { createIdleCache } from "./idle.js";
import { checkLoadOptions } from "./load_options.js";
import { createModel, type Model } from "./model.js";

/** How to load a model. */
export interface LoadOptions extends LoadHooks {
  /** Storage of the weight matrices. Default "auto", as in the checkpoint. */
  readonly dtype?: WeightFormat;
  /** A device of the caller's; disposing of the model does not destroy it. */
  readonly device?: GPUDevice;
  /** A Gpu opened before, which several models can share; it is not disposed with the model. */
  readonly gpu?: Gpu;
}

const IDLE_CALLS = 4; // finished calls whose memory is kept for later calls of the same shape

/**
 * Loads a Hugging Face checkpoint, without any conversion, from a folder path (Node, Deno), a base URL, a list of
 * Files, a function from file name to content, or a checkpoint that is already open. Throws CheckpointError with all
 * faults of the checkpoint, DeviceError without WebGPU, OptionError, and the signal's reason when aborted.
 */
export async function load(source: CheckpointLike, options: LoadOptions = {}): Promise<Model> {
  checkLoadOptions(options);
  const { dtype = "auto", progress, signal } = options;
  signal?.throwIfAborted();
  const opened = await openCheckpoint(source, { signal });
  const { family, checkpoint: stored, architecture: described } = describeCheckpoint(opened);
  const checkpoint = await shareTied(stored, family.ties?.(stored.config) ?? [], { signal });
  const gpu = options.gpu ?? (await openGpu({ device: options.device }));
  const architecture = { ...described, normInLinear: gpu.class.adapter === "gpu" };
  const release = (): void => {
    if (!options.gpu) gpu.dispose();
  };
  try {
    const rows = family.rows(architecture, checkpoint.config, checkpoint.entries);
    const weights = await loadWeights(gpu, checkpoint, rows, {
      format: dtype,
      ignored: family.ignored ?? [],
      signal,
      progress,
    });
    const core: Core = { gpu, architecture, weights, idle: createIdleCache(IDLE_CALLS) };
    progress?.({ status: "ready", name: checkpoint.label });
    return createModel(core, checkpoint, release);
  } catch (error) {
    release();
    throw error;
  }
}
