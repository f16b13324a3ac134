/** Waits for the device without taking a core from it. */
export interface Patience {
  /** Runs `map` (a mapAsync) after those asked for before, and not long before the device should be ready. */
  wait(map: () => Promise<void>): Promise<void>;
}

const SHARE = 0.8; // of the time that the last wait took, to sleep through
const LEAST = 2; // milliseconds; a timer is no finer

/**
 * In Node a pending map makes Dawn poll in a loop that takes a whole core. A CPU adapter computes on that core: there, sleep
 * through most of the time that work took last, and map one buffer after the other. Elsewhere, map at once.
 */
export function createPatience(software: boolean): Patience {
  const { process, Deno, document } = globalThis as {
    process?: { versions?: { node?: string } };
    Deno?: unknown;
    document?: unknown;
  };
  if (!software || !process?.versions?.node || Deno || document) return { wait: (map) => map() };
  let last: Promise<void> = Promise.resolve();
  let ended = 0;
  let span = 0; // between the ends of two waits that followed one another
  const turn = async (map: () => Promise<void>, asked: number): Promise<void> => {
    const begun = Math.max(asked, ended);
    const sleep = SHARE * span - (performance.now() - begun);
    if (sleep >= LEAST) await new Promise((resolve) => setTimeout(resolve, sleep));
    const woken = performance.now();
    await map();
    ended = performance.now();
    // Ready before it was asked for: the sleep was too long, so the next is shorter.
    span = ended - woken < 0.2 && sleep >= LEAST ? 0.5 * span : ended - begun;
  };
  return {
    wait(map) {
      const asked = performance.now();
      const next = last.then(() => turn(map, asked));
      last = next.catch(() => {});
      return next;
    },
  };
}
