import { createRanges } from "./ranges.js";

/** Counts who holds each slot of a pool: those of a beginning that several sequences have are shared. */
export interface Slots {
  readonly total: number;
  readonly free: number;
  readonly used: number;
  /**
   * `count` slots with one reference each: the lowest contiguous ones, or where there is no such run, the lowest free
   * ones. Undefined when fewer are free.
   */
  take(count: number): number[] | undefined;
  /** Adds a reference to each. Throws for a free slot. */
  hold(slots: readonly number[]): void;
  /** Takes a reference from each; those without one are free. Throws for a free slot. */
  release(slots: readonly number[]): void;
  /** References of a slot; 0 when it is free. */
  references(slot: number): number;
  /** Adds free slots until there are `total`. */
  grow(total: number): void;
  /** Throws when references and free slots disagree. For tests. */
  check(): void;
}

/** `total` slots, all of them free. */
export function createSlots(total: number): Slots {
  const ranges = createRanges(total);
  let counts = new Uint32Array(total);
  const mustBeHeld = (slot: number, what: string): void => {
    if (!counts[slot]) throw new Error(`slots: slot ${slot} of ${ranges.total} must be held to be ${what}, it is free`);
  };
  const claim = (taken: number[], count: number): boolean => {
    const at = ranges.take(count);
    if (at === undefined) return false;
    counts.fill(1, at, at + count);
    for (let i = 0; i < count; i++) taken.push(at + i);
    return true;
  };
  return {
    get total() {
      return ranges.total;
    },
    get free() {
      return ranges.total - ranges.used;
    },
    get used() {
      return ranges.used;
    },
    take(count) {
      if (ranges.total - ranges.used < count) return undefined;
      const taken: number[] = [];
      if (claim(taken, count)) return taken;
      while (taken.length < count) claim(taken, Math.min(ranges.free[0].count, count - taken.length));
      return taken;
    },
    hold(slots) {
      for (const slot of slots) {
        mustBeHeld(slot, "held again");
        counts[slot]++;
      }
    },
    release(slots) {
      let at = 0; // the run of slots that became free: they come and go in runs
      let count = 0;
      for (const slot of slots) {
        mustBeHeld(slot, "released");
        if (--counts[slot] > 0) continue;
        if (slot !== at + count) {
          ranges.release(at, count);
          [at, count] = [slot, 0];
        }
        count++;
      }
      ranges.release(at, count);
    },
    references: (slot) => counts[slot],
    grow(larger) {
      ranges.grow(larger);
      const grown = new Uint32Array(ranges.total);
      grown.set(counts);
      counts = grown;
    },
    check() {
      ranges.check();
      const free = new Set(ranges.free.flatMap(({ at, count }) => Array.from({ length: count }, (_, i) => at + i)));
      const wrong = counts.findIndex((count, slot) => count > 0 === free.has(slot));
      if (wrong >= 0)
        throw new Error(
          `slots: slot ${wrong} has ${counts[wrong]} references and is ${free.has(wrong) ? "" : "not "}free`,
        );
    },
  };
}
