import { type Gpu, gpu as openGpu, type GpuListener } from "../runtime/gpu.js";
import type { PowerPreference } from "../runtime/platform.js";
import { type CheckpointLike, type LoadHooks, openCheckpoint } from "./checkpoint/checkpoint.js";
import { shareTied } from "./checkpoint/ties.js";
import type { HubOptions } from "./hub/settings.js";
import type { LogitsFormat, WeightFormat } from "./checkpoint/weight_formats.js";
import { loadWeights, type Weights } from "./checkpoint/weights.js";
import type { Core } from "./core.js";
import { describeCheckpoint } from "./families/index.js";
import { type CacheFormat, choicesFor, withCache } from "./graph/architecture.js";
import { createIdleCache } from "./idle.js";
import { checkLoadOptions } from "./load_options.js";
import { createModel, type Model } from "./model.js";
import { keepWeights, type Recovery, rereadable } from "./recovery.js";

/** How to load a model. */
export interface LoadOptions extends LoadHooks, HubOptions, GpuListener {
  /** Storage of the weight matrices. Default "auto", as in the checkpoint. */
  readonly dtype?: WeightFormat;
  /** Storage of the matrix that makes logits, apart from the token table that it may be tied to. Default: as `dtype` says. */
  readonly lm_head_dtype?: LogitsFormat;
  /**
   * How keys and values of the past are stored: "f16" takes half of the memory and of the reading, and rounds them to 11
   * bits; those of sources stay in f32. Default "f32".
   */
  readonly cache?: CacheFormat;
  /** A device of the caller's; disposing of the model does not destroy it. */
  readonly device?: GPUDevice;
  /** A Gpu opened before, which several models can share; it is not disposed with the model. */
  readonly gpu?: Gpu;
  /** Which adapter to prefer, where there are several. Default: "high-performance". */
  readonly powerPreference?: PowerPreference;
}

const IDLE_CALLS = 4; // finished calls whose memory is kept for later calls of the same shape

/** What the public `load` does. */
export async function load(source: CheckpointLike, options: LoadOptions): Promise<Model> {
  checkLoadOptions(options);
  const { dtype = "auto", lm_head_dtype: logits, progress, signal, onDeviceLost, onFallback, onCompile } = options;
  signal?.throwIfAborted();
  const opened = await openCheckpoint(source, options);
  const { family, checkpoint: described, architecture: read } = await describeCheckpoint(opened);
  const stated = withCache("load", read, options.cache);
  const checkpoint = rereadable(
    await shareTied(described, family.ties?.(described.config) ?? [], { signal, progress }),
  );
  const decoding = stated.decoder && !stated.head ? (await import("./decode/calls.js")).decoderCalls : undefined;
  const gpu = options.gpu ?? (await openGpu({ device: options.device, powerPreference: options.powerPreference }));
  await gpu.ready(); // a shared one may have lost its device
  const leave = gpu.listen({
    onDeviceLost,
    onFallback,
    onCompile(event) {
      onCompile?.(event);
      progress?.({ status: "compile", name: checkpoint.label, loaded: event.done, total: event.total });
    },
  });
  const idle = createIdleCache(IDLE_CALLS);
  const release = (): void => {
    leave();
    if (!options.gpu) gpu.dispose();
  };
  const architecture = { ...stated, ...choicesFor(gpu.class.adapter) };
  const { config, entries } = checkpoint;
  const rest = { format: dtype, logits, ignored: family.ignored ?? [] };
  const upload = async (hooks: LoadHooks): Promise<Weights> =>
    loadWeights(gpu, checkpoint, family.rows(architecture, config, entries), { ...rest, ...hooks });
  let recovery: Recovery | undefined;
  try {
    const held = (recovery = await keepWeights(gpu, idle, upload, { signal, progress }));
    progress?.({ status: "ready", name: checkpoint.label });
    signal?.throwIfAborted();
    const core: Core = {
      gpu,
      architecture,
      get weights() {
        return held.weights;
      },
      idle,
    };
    return createModel(core, checkpoint, { ready: held.ready, release }, decoding);
  } catch (error) {
    if (recovery) gpu.memory.free(recovery.weights.tensors);
    release();
    throw error;
  }
}
