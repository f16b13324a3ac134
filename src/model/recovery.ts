import type { Gpu } from "../runtime/gpu.js";
import type { Checkpoint, LoadHooks, Visit } from "./checkpoint/checkpoint.js";
import type { Entry } from "./checkpoint/safetensors.js";
import type { Weights } from "./checkpoint/weights.js";
import type { IdleCache } from "./idle.js";

/** The weights of a model, which outlive its device. */
export interface Recovery {
  /** Those on the device in use. */
  readonly weights: Weights;
  /**
   * To be called before each call: undefined while the weights are on the device in use; when it was lost, resolves once
   * another is open and has them. Rejects with DeviceError, and with CheckpointError when they cannot be read again.
   */
  ready(): Promise<void> | undefined;
}

/** Keeps weights on the device in use: `load` uploads them, with `hooks` the first time, and again for another device. */
export async function keepWeights(
  gpu: Gpu,
  idle: IdleCache,
  load: (hooks: LoadHooks) => Promise<Weights>,
  hooks: LoadHooks,
): Promise<Recovery> {
  const upload = async (hooks: LoadHooks) => {
    const { device } = gpu;
    const weights = await load(hooks);
    try {
      await gpu.settle();
      for (const t of weights.tensors) gpu.memory.buffer(t); // throws for one that was not written
    } catch (error) {
      gpu.memory.free(weights.tensors);
      throw error;
    }
    return { device, weights };
  };
  let now = await upload(hooks);
  let { faults } = gpu.memory;
  let recovering: Promise<void> | undefined;
  const recover = async (opening: Promise<void> | undefined): Promise<void> => {
    await opening;
    idle.clear();
    if (gpu.device !== now.device) now = await upload({});
  };
  return {
    get weights() {
      return now.weights;
    },
    ready() {
      if (recovering) return recovering;
      const opening = gpu.ready();
      if (opening || gpu.device !== now.device)
        return (recovering = recover(opening).finally(() => (recovering = undefined)));
      if (gpu.memory.faults !== faults) idle.clear(); // what it holds may be broken
      ({ faults } = gpu.memory);
      return undefined;
    },
  };
}

/**
 * The checkpoint, if it can be read again; or else one that keeps what was read on the host, for a device that is opened
 * after another was lost.
 */
export function rereadable(checkpoint: Checkpoint): Checkpoint {
  if (checkpoint.rereadable) return checkpoint;
  const kept = new Map<Entry, { readonly bytes: Uint8Array<ArrayBuffer>; readonly row: number }[]>();
  return {
    ...checkpoint,
    async read(entries, visit, hooks) {
      const all = [...entries];
      const missing = all.filter((entry) => !kept.has(entry));
      for (const entry of all) for (const { bytes, row } of kept.get(entry) ?? []) await visit(entry, bytes, row);
      if (missing.length === 0) return;
      const fresh = new Map(missing.map((entry) => [entry, [] as { bytes: Uint8Array<ArrayBuffer>; row: number }[]]));
      const keep: Visit = async (entry, bytes, row) => {
        fresh.get(entry)?.push({ bytes: bytes.slice(), row });
        await visit(entry, bytes, row);
      };
      await checkpoint.read(missing, keep, hooks);
      for (const [entry, blocks] of fresh) kept.set(entry, blocks); // whole, or not at all
    },
  };
}
