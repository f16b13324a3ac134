import { InputError } from "../index.js";
import { ApiError } from "./errors.js";

/** Runs the inputs of a request together with those of others that wait with the same options. */
export interface Batcher<I, O, R> {
  /** Resolves with the results of inputs. Rejects as the task does, and with ApiError when too many requests wait. */
  run(inputs: readonly I[], options: O, signal: AbortSignal): Promise<R[]>;
  /** How many requests are here. */
  readonly open: number;
}

/** What limits batches. */
export interface BatchLimits {
  /** Most inputs of a call. */
  readonly size: number;
  /** Most requests that may be here. */
  readonly waiting: number;
  /** After how many seconds another try may do better. */
  readonly retryAfter: () => number;
}

/** An input of a request; `settle` takes its result, or why there is none. */
interface Item<I, O, R> {
  readonly input: I;
  readonly options: O;
  readonly key: string;
  readonly index: number;
  readonly signal: AbortSignal;
  readonly resolve: (result: R) => void;
  readonly reject: (reason: unknown) => void;
}

type Call<I, O, R> = (inputs: readonly I[], options: O, signal: AbortSignal) => Promise<readonly R[]>;

/**
 * Runs inputs of several requests in one call: what comes while a call runs makes the next one, so that nothing waits for
 * company. A request with an input that the task refuses fails alone; one whose signal aborts is left out, and when all of
 * a call have, it is ended.
 */
export function createBatcher<I, O, R>(call: Call<I, O, R>, limits: BatchLimits): Batcher<I, O, R> {
  const { size, waiting, retryAfter } = limits;
  const queue: Item<I, O, R>[] = [];
  let running = false;
  let open = 0;

  const drain = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (queue.length) {
      const batch = queue.filter(({ key }) => key === queue[0].key).slice(0, size);
      const taken = new Set(batch);
      queue.splice(0, queue.length, ...queue.filter((item) => !taken.has(item)));
      await runTogether(batch, call);
    }
    running = false;
  };

  return {
    get open() {
      return open;
    },
    async run(inputs, options, signal) {
      if (open >= waiting)
        throw new ApiError(`at most ${waiting} requests may wait for this model; try again`, {
          status: 429,
          code: "rate_limit_exceeded",
          retryAfter: retryAfter(),
        });
      open++;
      const ended = new AbortController(); // one bad input ends them all
      const either = AbortSignal.any([signal, ended.signal]);
      const key = JSON.stringify(options);
      const results = inputs.map(
        (input, index) =>
          new Promise<R>((resolve, reject) => {
            queue.push({ input, options, key, index, signal: either, resolve, reject });
          }),
      );
      void drain();
      try {
        return await untilAborted(Promise.all(results), either);
      } finally {
        ended.abort();
        open--;
      }
    },
  };
}

/** A result, or the reason of the signal as soon as it aborts. */
const untilAborted = <T>(result: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    result.then(resolve, reject);
  });

/** Runs items in one call, and again without one that the task refuses. */
async function runTogether<I, O, R>(batch: readonly Item<I, O, R>[], call: Call<I, O, R>): Promise<void> {
  const items = batch.filter(({ signal }) => !signal.aborted);
  if (items.length === 0) return;
  const stop = new AbortController();
  const leave = (): void => {
    if (items.every(({ signal }) => signal.aborted)) stop.abort(items[0].signal.reason);
  };
  for (const { signal } of items) signal.addEventListener("abort", leave);
  try {
    const inputs = items.map(({ input }) => input);
    const results = await call(inputs, items[0].options, stop.signal);
    items.forEach(({ resolve }, at) => resolve(results[at]));
  } catch (error) {
    const bad = error instanceof InputError && error.index !== undefined ? items[error.index] : undefined;
    if (!bad) return items.forEach(({ reject }) => reject(error));
    const { message } = (error as InputError).cause as Error;
    bad.reject(new InputError(`input ${bad.index}: ${message}`, { cause: error, index: bad.index }));
    await runTogether(
      items.filter((item) => item !== bad && item.signal !== bad.signal),
      call,
    );
  } finally {
    for (const { signal } of items) signal.removeEventListener("abort", leave);
  }
}
