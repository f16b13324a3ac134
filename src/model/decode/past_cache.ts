import type { TokenLists } from "../inputs.js";
import type { PastPool } from "./past_pool.js";
import type { Pool } from "../loop/pool.js";
import type { Slots } from "../loop/slots.js";

/** A prompt that may begin as a row of a past does. */
export interface Continued {
  /** The number of that row. */
  readonly row: number;
  readonly ids: readonly number[];
  /** The slots of its tokens where it is continued. */
  readonly slots: readonly number[];
}

/**
 * Keys and values of the rows of a past. Whatever was read last is used as far as it agrees with what is asked for, so
 * that no order of calls can give wrong ones.
 */
export interface PastCache {
  /** Reads what the device does not hold yet of these tokens, and forgets others, after all calls before. */
  read(tokens: TokenLists): Promise<void>;
  /** Forgets what these tokens do not begin with, after all calls before. */
  trim(tokens: TokenLists): Promise<void>;
  /**
   * Copies the keys and values with which prompts begin to the first of their slots in another pool. Resolves with the
   * number of their tokens, which may be 0.
   */
  copyInto(target: Pool, prompts: readonly Continued[]): Promise<number[]>;
  /** A cache for rows of up to M tokens, which shares what this one holds of these tokens. */
  fork(tokens: TokenLists, M: number): Promise<PastCache>;
  /** Frees the memory that it does not share. */
  dispose(): void;
}

/** The tokens of each row that are on the device, and their slots. */
interface Held {
  /** Those that counted when they were taken: others do after the device was lost. */
  readonly owner: Slots | undefined;
  readonly tokens: TokenLists;
  readonly slots: TokenLists;
}

/** A cache of B rows of up to M tokens in this pool; empty, unless something is `held` for it already. */
export function createPastCache(pool: PastPool, B: number, M: number, given?: Held): PastCache {
  const nothing: Held = { owner: undefined, tokens: rowsOf(B, () => []), slots: rowsOf(B, () => []) };
  const { queue } = pool;
  let held = given ?? nothing;
  pool.join(B * M);
  const current = (): Held => (held.owner === pool.slots ? held : nothing);
  const trim = (tokens: TokenLists): Held => {
    const now = current();
    const lengths = commonLengths(tokens, now.tokens);
    now.owner?.release(now.slots.flatMap((row, b) => row.slice(lengths[b])));
    return (held = { ...now, ...beginnings(now, lengths) });
  };
  return {
    read: (tokens) =>
      queue(async () => {
        const { slots: known } = trim(tokens);
        const fresh = tokens.map((row, b) => row.slice(known[b].length));
        const count = fresh.reduce((sum, { length }) => sum + length, 0);
        if (count === 0) return;
        const taken = await pool.take(count, M);
        const owner = pool.slots;
        let at = 0;
        const slots = known.map((row, b) => [...row, ...taken.slice(at, (at += fresh[b].length))]);
        try {
          await pool.read(fresh.map((ids, b) => ({ ids, slots: slots[b] })));
        } catch (error) {
          owner?.release(taken);
          throw error;
        }
        held = { owner, tokens, slots };
      }),
    trim: (tokens) => queue(async () => void trim(tokens)),
    copyInto: (target, prompts) =>
      queue(async () => {
        const now = current();
        const lengths = prompts.map(({ row, ids }) => commonLength(ids, now.tokens[row]));
        const from = prompts.flatMap(({ row }, i) => now.slots[row].slice(0, lengths[i]));
        const to = prompts.flatMap(({ slots }, i) => slots.slice(0, lengths[i]));
        await pool.copyInto(target, from, to);
        return lengths;
      }),
    fork: (tokens, most) =>
      queue(async () => {
        const now = current();
        const shared = beginnings(now, commonLengths(tokens, now.tokens));
        now.owner?.hold(shared.slots.flat());
        return createPastCache(pool, B, most, { ...now, ...shared });
      }),
    dispose() {
      const { owner, slots } = current();
      owner?.release(slots.flat());
      held = nothing;
      pool.leave(B * M);
    },
  };
}

const rowsOf = <T>(B: number, row: () => T): T[] => Array.from({ length: B }, row);

/** The first tokens of each row, and their slots. */
const beginnings = ({ tokens, slots }: Held, lengths: readonly number[]): Pick<Held, "tokens" | "slots"> => ({
  tokens: tokens.map((row, b) => row.slice(0, lengths[b])),
  slots: slots.map((row, b) => row.slice(0, lengths[b])),
});

/** How many tokens each row has in common with the one of the same number in `others`. */
const commonLengths = (rows: TokenLists, others: TokenLists): number[] =>
  rows.map((row, b) => commonLength(row, others[b]));

function commonLength(row: readonly number[], other: readonly number[]): number {
  const end = row.findIndex((id, t) => id !== other[t]);
  return end < 0 ? row.length : end;
}
