/** A run of `count` neighbouring places from `at` on. */
export interface Range {
  readonly at: number;
  readonly count: number;
}

/** Which of `total` places are taken, where what is taken must be contiguous. */
export interface Ranges {
  readonly total: number;
  /** How many places are taken. */
  readonly used: number;
  /** What is free, lowest first; no two of them touch. */
  readonly free: readonly Range[];
  /** The first place of the lowest free run of `count`; undefined where there is none. */
  take(count: number): number | undefined;
  /** Frees `count` places from `at` on. Throws unless all of them were taken. */
  release(at: number, count: number): void;
  /** Adds places behind the last until there are `total`. */
  grow(total: number): void;
  /** Throws when the free runs are out of order, or do not add up. For tests. */
  check(): void;
}

/** `size` places, all of them free. Work grows with the number of free runs, not with that of places. */
export function createRanges(size: number): Ranges {
  const free: Range[] = [];
  let total = size;
  let used = total;
  const release = (at: number, count: number): void => {
    if (count === 0) return;
    const next = firstAfter(free, at);
    const [before, after] = [free[next - 1], free[next]];
    const floor = before ? before.at + before.count : 0;
    const ceiling = after ? after.at : total;
    if (!(count > 0 && at >= floor && at + count <= ceiling))
      throw new Error(`ranges: ${at} to ${at + count} of ${total} must be taken to be released, some of it is not`);
    const first = before && at === floor ? next - 1 : next; // neighbours become one
    const last = after && at + count === ceiling ? next + 1 : next;
    const start = first < next ? before.at : at;
    const end = last > next ? after.at + after.count : at + count;
    free.splice(first, last - first, { at: start, count: end - start });
    used -= count;
  };
  release(0, total);
  return {
    get total() {
      return total;
    },
    get used() {
      return used;
    },
    free,
    take(count) {
      if (count === 0) return 0;
      const index = free.findIndex((range) => range.count >= count);
      if (index < 0) return undefined;
      const { at, count: had } = free[index];
      if (had === count) free.splice(index, 1);
      else free[index] = { at: at + count, count: had - count };
      used += count;
      return at;
    },
    release,
    grow(larger) {
      const old = total;
      if (larger <= old) return;
      total = larger;
      used += larger - old;
      release(old, larger - old);
    },
    check() {
      let end = -1;
      let sum = 0;
      for (const { at, count } of free) {
        if (!(at > end && count > 0)) throw new Error(`ranges: the free run at ${at} of ${count} follows ${end}`);
        end = at + count;
        sum += count;
      }
      if (end > total || sum + used !== total)
        throw new Error(`ranges: ${sum} free and ${used} taken up to ${end}, of ${total}`);
    },
  };
}

/** Index of the first range behind place `at`. */
function firstAfter(ranges: readonly Range[], at: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle].at > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
