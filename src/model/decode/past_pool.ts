import type { DecoderCore } from "../core.js";
import { createQueue, type Queue } from "../queue.js";
import { createPool, type Pool, slotCopies } from "../loop/pool.js";
import { CHUNK, createPromptReader, type PromptPiece, type PromptReader } from "../loop/prompts.js";
import { createSlots, type Slots } from "../loop/slots.js";

/** The cache slots of a past and its forks. Its memory grows with the tokens that they read, and goes with the last of them. */
export interface PastPool {
  /** Puts the calls of all of them in order. */
  readonly queue: Queue;
  /** Who holds the slots on the device in use; undefined before the first is taken, and after the device was lost. */
  readonly slots: Slots | undefined;
  /** Takes slots for so many tokens of rows of up to M, with more memory where too few are free. */
  take(count: number, M: number): Promise<number[]>;
  /** Reads tokens into slots that were taken. */
  read(pieces: readonly PromptPiece[]): Promise<void>;
  /** Copies keys and values from slots to those of another pool. */
  copyInto(target: Pool, from: readonly number[], to: readonly number[]): Promise<void>;
  /** Counts one more past, whose rows hold at most so many tokens together. */
  join(most: number): void;
  /** Counts one less. */
  leave(most: number): void;
}

/** What is on a device: a pool of slots for rows of up to M tokens, who holds them, and what reads into it. */
interface Held {
  readonly device: GPUDevice;
  readonly M: number;
  readonly slots: Slots;
  readonly pool: Pool;
  readonly reader: PromptReader;
}

const LEAST = 64; // slots of the first pool, so that a few tokens more need no other

/** Slots for pasts of B rows, without memory at first. */
export function createPastPool(core: DecoderCore, B: number): PastPool {
  const { gpu } = core;
  let held: Held | undefined;
  let pasts = 0;
  let most = 0; // tokens that all pasts may have together
  const drop = (): void => {
    held?.reader.dispose();
    held?.pool.dispose();
    held = undefined;
  };
  const current = (): Held | undefined => {
    if (held && held.device !== gpu.device) drop(); // it was lost, and with it all keys
    return held;
  };
  /** Takes another pool, in which all that is held has the slots that it had. */
  const grow = async (Z: number, M: number): Promise<Held> => {
    const { device } = gpu;
    const slots = held?.slots ?? createSlots(Z);
    const pool = createPool(core, { Z, M });
    try {
      const kept = heldSlots(slots);
      if (held) await gpu.copy(slotCopies(held.pool, kept, pool, kept));
    } catch (error) {
      pool.dispose();
      throw error;
    }
    drop();
    slots.grow(Z);
    return (held = { device, M, slots, pool, reader: createPromptReader(core, { pool }, { B, U: Z }) });
  };
  return {
    queue: createQueue(),
    get slots() {
      return current()?.slots;
    },
    async take(count, M) {
      const now = current();
      const { total, used } = now?.slots ?? { total: 0, used: 0 };
      const needed = used + count;
      const Z = needed <= total ? total : Math.max(needed, Math.min(most, Math.max(LEAST, 2 * total)));
      const { slots } = now && Z === total && M <= now.M ? now : await grow(Z, Math.max(M, now?.M ?? 0));
      return slots.take(count) as number[];
    },
    async read(pieces) {
      const { reader, slots } = held as Held;
      for (const batch of batches(pieces, Math.min(CHUNK, slots.total))) await (await reader.load(batch)).run();
    },
    copyInto: async (target, from, to) => {
      if (held) await gpu.copy(slotCopies(held.pool, from, target, to));
    },
    join(tokens) {
      pasts++;
      most += tokens;
    },
    leave(tokens) {
      most -= tokens;
      if (--pasts === 0) drop();
    },
  };
}

const heldSlots = (slots: Slots): number[] =>
  Array.from({ length: slots.total }, (_, slot) => slot).filter((slot) => slots.references(slot) > 0);

/** Pieces cut so that at most `most` tokens are read together; those that come later have the others in their past. */
function* batches(pieces: readonly PromptPiece[], most: number): Generator<PromptPiece[]> {
  let batch: PromptPiece[] = [];
  let room = most;
  for (const { ids, slots, ...rest } of pieces) {
    const past = slots.length - ids.length;
    for (let at = 0; at < ids.length;) {
      const end = Math.min(ids.length, at + room);
      batch.push({ ...rest, ids: ids.slice(at, end), slots: slots.slice(0, past + end) });
      room -= end - at;
      at = end;
      if (room > 0) continue;
      yield batch;
      [batch, room] = [[], most];
    }
  }
  if (batch.length) yield batch;
}
