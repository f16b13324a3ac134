import type { Plan } from "./plan.js";
import { byteLength, owner, type Tensor } from "./tensor.js";

export interface Place {
  readonly arena: number;
  readonly offset: number;
}

export interface Arenas {
  /** Bytes of each arena. */
  readonly sizes: readonly number[];
  readonly places: ReadonlyMap<Tensor, Place>;
}

interface Block extends Place {
  readonly end: number;
  readonly lastStep: number;
}

/**
 * Places every activation of a plan at an offset in one of a few arenas, reusing the bytes of those no longer read.
 * A launch never reads and writes the same arena: WebGPU forbids one buffer to be read-only and writable at once.
 */
export function assignArenas(plan: Plan, alignment = 256): Arenas {
  const lastUse = new Map<Tensor, number>();
  plan.steps.forEach((step, index) => {
    for (const t of Object.values(step.tensors)) if (t?.role === "activation") lastUse.set(owner(t), index);
  });
  const sizes: number[] = [];
  const places = new Map<Tensor, Place>();
  let blocks: Block[] = [];
  plan.steps.forEach((step, index) => {
    blocks = blocks.filter((block) => block.lastStep >= index);
    const read = Object.keys(step.kernel.reads).map((key) => step.tensors[key]);
    const busy = new Set(read.map((t) => t && places.get(owner(t))?.arena));
    for (const key of Object.keys(step.kernel.writes)) {
      const t = step.tensors[key];
      if (!t || t.role !== "activation" || places.has(t)) continue;
      let arena = 0;
      while (busy.has(arena)) arena++;
      const bytes = Math.ceil(byteLength(t) / alignment) * alignment;
      const offset = firstGap(blocks.filter((block) => block.arena === arena), bytes);
      const block = { arena, offset, end: offset + bytes, lastStep: lastUse.get(t) ?? index };
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
