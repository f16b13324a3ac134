import { UNIFORM } from "./allocate.js";
import { assignArenas } from "./arena.js";
import { LAUNCH_FLOPS, rowRanges } from "./launches.js";
import { bufferBytes, type MemoryUse } from "./memory.js";
import type { Plan } from "./plan.js";
import { byteLength, owner, type Tensor } from "./tensor.js";

/** What prepared plans hold on a device. */
export interface Needs extends Pick<MemoryUse, "state" | "activation" | "uniforms"> {
  /** The states that they read or write. */
  readonly states: ReadonlySet<Tensor>;
  /** The largest buffer that activations share. */
  readonly largestArena: number;
}

/** Counts what plans will hold on a device, all prepared at once, without one; the weights come on top. */
export function countNeeds(plans: readonly Plan[]): Needs {
  const used = plans.flatMap(({ launches }) => launches.flatMap(({ tensors }) => Object.values(tensors)));
  const states = new Set(used.flatMap((t) => (t && owner(t).role === "state" ? [owner(t)] : [])));
  const arenas = plans.flatMap((plan) => assignArenas(plan).sizes.map(bufferBytes));
  const pieces = plans.flatMap(({ launches }) => launches.flatMap((launch) => rowRanges(launch, LAUNCH_FLOPS)));
  return {
    states,
    state: bytesOf(states),
    activation: arenas.reduce((sum, size) => sum + size, 0),
    uniforms: pieces.length * UNIFORM,
    largestArena: Math.max(0, ...arenas),
  };
}

/** Bytes that tensors take on a device, each in a buffer of its own. */
export const bytesOf = (tensors: Iterable<Tensor>): number =>
  Array.from(tensors, (t) => bufferBytes(byteLength(t))).reduce((sum, size) => sum + size, 0);
