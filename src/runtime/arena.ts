import type { Patterns } from "./kernel.js";
import type { Plan, Launch } from "./plan.js";
import { byteLength, owner, type Tensor } from "./tensor.js";

/** Where an activation is: the index of an arena, and an offset in it in bytes. */
export interface Place {
  readonly arena: number;
  readonly offset: number;
}

/** The buffers that the activations of a plan share. */
export interface Arenas {
  /** Size of each arena in bytes. */
  readonly sizes: readonly number[];
  /** The place of each activation, by the tensor that owns its memory. */
  readonly places: ReadonlyMap<Tensor, Place>;
}

function activations({ tensors }: Launch, patterns: Patterns): Tensor[] {
  return Object.keys(patterns)
    .map((key) => tensors[key])
    .filter((t): t is Tensor => t?.role === "activation")
    .map(owner);
}

interface Block extends Place {
  readonly end: number;
  readonly lastLaunch: number;
}

/**
 * Places every activation of a plan at an offset in one of a few arenas, and reuses the bytes of those that are no
 * longer read. A launch never reads and writes the same arena: WebGPU forbids binding a buffer as read-only and
 * writable at once.
 */
export function assignArenas(plan: Plan, alignment = 256): Arenas {
  const lastUse = new Map<Tensor, number>();
  const apart = new Map<Tensor, Set<Tensor>>(); // tensors that must not share an arena with the key
  plan.launches.forEach((launch, index) => {
    const [read, written] = [activations(launch, launch.kernel.reads), activations(launch, launch.kernel.writes)];
    for (const t of [...read, ...written]) lastUse.set(t, index);
    for (const [side, other] of [
      [read, written],
      [written, read],
    ]) {
      for (const t of side) apart.set(t, new Set([...(apart.get(t) ?? []), ...other]));
    }
  });
  const sizes: number[] = [];
  const places = new Map<Tensor, Place>();
  let blocks: Block[] = [];
  plan.launches.forEach((launch, index) => {
    blocks = blocks.filter((block) => block.lastLaunch >= index);
    for (const t of activations(launch, launch.kernel.writes)) {
      if (places.has(t)) continue;
      const busy = new Set([...(apart.get(t) ?? [])].map((other) => places.get(other)?.arena));
      let arena = 0;
      while (busy.has(arena)) arena++;
      const bytes = Math.ceil(byteLength(t) / alignment) * alignment;
      const offset = firstGap(
        blocks.filter((block) => block.arena === arena),
        bytes,
      );
      const block = { arena, offset, end: offset + bytes, lastLaunch: lastUse.get(t) ?? index };
      blocks.push(block);
      places.set(t, block);
      sizes[arena] = Math.max(sizes[arena] ?? 0, block.end);
    }
  });
  return { sizes: Array.from(sizes, (size) => size ?? 0), places };
}

function firstGap(blocks: readonly Block[], bytes: number): number {
  let offset = 0;
  for (const block of [...blocks].sort((a, b) => a.offset - b.offset)) {
    if (block.offset - offset >= bytes) return offset;
    offset = Math.max(offset, block.end);
  }
  return offset;
}
