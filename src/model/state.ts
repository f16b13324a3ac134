import type { Gpu } from "../runtime/gpu.js";
import type { DecoderCache } from "./decoder.js";
import type { Capacity } from "./session.js";

/** Tokens a decoder has read: their keys and values, one cache row a sequence. */
export interface Past {
  /** Tokens of each row whose keys are in the cache. */
  readonly lengths: readonly number[];
  /** Copies them to the first row of each prompt in another cache. */
  copyInto(cache: DecoderCache, capacity: Capacity): Promise<void>;
}

/** The past in a cache whose rows are `fan` apart and M slots long. */
export function pastOf(gpu: Gpu, { caches }: DecoderCache, M: number, lengths: readonly number[]): Past {
  return {
    lengths,
    copyInto(target, { n, W, M: slots }) {
      return gpu.copy(caches.flatMap((from, l) => {
        const width = from.shape[2];
        const to = target.caches[l];
        return lengths.map((length, b) => ({ from, fromAt: b * M * width, to, toAt: b * n * W * slots * width, count: length * width }));
      }));
    },
  };
}
