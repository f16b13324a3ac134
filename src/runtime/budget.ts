const AIM_MS = 100; // of a submit: a browser ends a GPU that is busy for seconds, and a page is drawn between submits
const LEAST = 1e9; // operations of a submit

/** How much work the device gets at a time. */
export interface WorkBudget {
  /** Cuts work into lists of at most so many operations, of one piece at least; they keep its order. */
  cut<T extends { readonly flops: number }>(work: readonly T[]): T[][];
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
    cut<T extends { readonly flops: number }>(work: readonly T[]): T[][] {
      const lists: T[][] = [[]];
      let sum = 0;
      for (const piece of work) {
        const last = lists[lists.length - 1];
        if (last.length && sum + piece.flops > budget) {
          lists.push([piece]);
          sum = piece.flops;
        } else {
          last.push(piece);
          sum += piece.flops;
        }
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
