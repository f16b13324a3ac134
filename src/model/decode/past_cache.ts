import type { DecoderCore } from "../core.js";
import type { TokenLists } from "../inputs.js";
import { createQueue } from "../queue.js";
import { createDecoderCache, type DecoderCache, pastCopies } from "./cache.js";

/**
 * Keys and values of the rows of a past. Whatever was read last is used as far as it agrees with what is asked for, so
 * that no order of calls can give wrong ones.
 */
export interface PastCache {
  /** Reads what the device does not hold yet of these tokens, after all calls before. */
  read(tokens: TokenLists): Promise<void>;
  /**
   * Copies the keys and values with which each of `prompts` begins to another cache. Resolves with the number of their
   * tokens, which may be 0.
   */
  copyInto(target: DecoderCache, prompts: TokenLists): Promise<number[]>;
  /** Takes over what another past holds of these tokens. */
  adopt(origin: Pick<PastCache, "copyInto">, tokens: TokenLists): Promise<void>;
  /** Frees its memory. */
  dispose(): void;
}

/** What is on a device: a cache, and the tokens whose keys and values it has. */
interface Held {
  readonly device: GPUDevice;
  readonly cache: DecoderCache;
  readonly tokens: TokenLists;
}

/** A cache of `rows` rows of up to M tokens, empty at first. */
export function createPastCache(core: DecoderCore, rows: number, M: number): PastCache {
  const { gpu } = core;
  const queue = createQueue();
  const open = (): Held => ({
    device: gpu.device,
    cache: createDecoderCache(core, { B: rows, n: 1, W: 1, M, S: 1 }),
    tokens: Array.from({ length: rows }, () => []),
  });
  let held = open();
  const current = (): Held => {
    if (held.device === gpu.device) return held;
    held.cache.dispose(); // its device was lost, and with it all keys
    return (held = open());
  };
  return {
    read: (tokens) =>
      queue(async () => {
        const { device, cache, tokens: known } = current();
        const lengths = commonLengths(tokens, known);
        const fresh = tokens.map((row, b) => row.slice(lengths[b]));
        if (fresh.every(({ length }) => length === 0)) return;
        held = { device, cache, tokens: prefixes(known, lengths) };
        await cache.prompt(fresh, lengths);
        held = { device, cache, tokens };
      }),
    copyInto: (target, prompts) =>
      queue(async () => {
        const { cache, tokens } = current();
        const lengths = commonLengths(prompts, tokens);
        await gpu.copy(pastCopies(cache, target, [...lengths.keys()], lengths));
        return lengths;
      }),
    adopt: (origin, tokens) =>
      queue(async () => {
        const { device, cache } = current();
        held = { device, cache, tokens: prefixes(tokens, await origin.copyInto(cache, tokens)) };
      }),
    dispose: () => held.cache.dispose(),
  };
}

const prefixes = (rows: TokenLists, lengths: readonly number[]): TokenLists =>
  rows.map((row, b) => row.slice(0, lengths[b]));

/** How many tokens each row has in common with the one of the same number in `others`. */
function commonLengths(rows: TokenLists, others: TokenLists): number[] {
  return rows.map((row, b) => {
    const end = row.findIndex((id, t) => id !== others[b][t]);
    return end < 0 ? row.length : end;
  });
}
