import type { Copy } from "../../runtime/gpu.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import type { DecoderArchitecture } from "../graph/architecture.js";
import type { PastKeys } from "../graph/decoder.js";
import { rotaryTable } from "../graph/positions.js";

/** The tensors of a pool of Z cache slots, for rows of up to M tokens. */
export interface PoolTensors {
  /** Keys and values of each slot. */
  readonly past: PastKeys;
  /** u32[Z]: the token of each slot, which rules on scores see. */
  readonly history: Tensor;
}

/** Cache slots on the device, each for the key and value of a token in all layers. */
export interface Pool extends PoolTensors {
  /** Frees its memory. */
  dispose(): void;
}

/** The tensors of a pool. Only those that are used get memory. */
export function poolTensors(
  { decoder: { depth, K, E, rotary }, cacheFormat = "f32" }: DecoderArchitecture,
  { Z, M }: Readonly<Record<"Z" | "M", number>>,
): PoolTensors {
  const cache = (l: number): Tensor => tensor(`decoder.layers.${l}.cache`, cacheFormat, [Z, 2 * K * E]);
  return {
    past: {
      caches: Array.from({ length: depth }, (_, l) => cache(l)),
      rotary: rotary && tensor("rotary", "f32", [M, E]),
    },
    history: tensor("history", "u32", [Z]),
  };
}

/** A pool of Z slots, for rows of up to M tokens. */
export function createPool(core: DecoderCore, sizes: Readonly<Record<"Z" | "M", number>>): Pool {
  const { gpu, architecture } = core;
  const { E, rotary } = architecture.decoder;
  const { past, history } = poolTensors(architecture, sizes);
  if (rotary && past.rotary) gpu.write(past.rotary, rotaryTable(rotary, sizes.M, E));
  return {
    past,
    history,
    dispose: () => gpu.memory.free([...past.caches, history, ...(past.rotary ? [past.rotary] : [])]),
  };
}

/** Runs of neighbours in two lists of slots of one length: (first, first of the other, count) each. */
export function slotRuns(slots: readonly number[], others: readonly number[]): [number, number, number][] {
  const runs: [number, number, number][] = [];
  slots.forEach((slot, i) => {
    const last = runs[runs.length - 1];
    if (last && slot === last[0] + last[2] && others[i] === last[1] + last[2]) last[2]++;
    else runs.push([slot, others[i], 1]);
  });
  return runs;
}

/** The copies that take keys and values from slots of one pool to as many of another. */
export function slotCopies(
  from: PoolTensors,
  slots: readonly number[],
  to: PoolTensors,
  others: readonly number[],
): Copy[] {
  const runs = slotRuns(slots, others);
  return from.past.caches.flatMap((cache, l) => {
    const width = cache.shape[1];
    return runs.map(([first, other, count]) => ({
      from: cache,
      fromAt: first * width,
      to: to.past.caches[l],
      toAt: other * width,
      count: count * width,
    }));
  });
}
