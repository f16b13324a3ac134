const AIM_MS = 100; // of a submit: a browser ends a GPU that is busy for seconds, and a page is drawn between submits
const LEAST = 1e9; // operations of a submit

/** Work of so many operations. */
interface Piece {
  readonly flops: number;
}

/** The operations of a list. */
export function sum(work: readonly Piece[]): number {
  let all = 0;
  for (const { flops } of work) all += flops;
  return all;
}

/** How much work the device gets at a time. */
export interface WorkBudget {
  /** Cuts work into lists of at most so many operations, of one piece at least; they keep its order. */
  cut<T extends Piece>(work: readonly T[]): readonly (readonly T[])[];
  /** Learns the speed of the device from submits one after another: their operations, and when each was done. */
  learn(flops: readonly number[], ends: readonly Promise<number>[]): void;
}

/** A budget of `flops` operations a submit at first, later of what the device does in 100 ms. */
export function createBudget(flops: number): WorkBudget {
  let budget = flops;
  const adapt = (done: number, ms: number): void => {
    if (ms > 0) budget = Math.max(LEAST, (budget + (done / ms) * AIM_MS) / 2);
  };
  return {
    cut<T extends Piece>(work: readonly T[]): readonly (readonly T[])[] {
      if (sum(work) <= budget) return [work];
      const lists: T[][] = [];
      let left = 0;
      for (const piece of work) {
        if (lists.length && piece.flops <= left) lists[lists.length - 1].push(piece);
        else {
          lists.push([piece]);
          left = budget;
        }
        left -= piece.flops;
      }
      return lists;
    },
    learn(flops, ends) {
      const learned = Promise.all(ends).then((times) => {
        // The first may have waited for earlier work, and is left out.
        for (let at = 1; at < times.length; at++) adapt(flops[at], times[at] - times[at - 1]);
      });
      learned.catch(() => {}); // the device was lost, which the run itself reports
    },
  };
}
