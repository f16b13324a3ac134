import { InputError, OptionError, show } from "../../runtime/errors.js";
import type { DecoderCore, During } from "../core.js";
import type { PastKeys } from "../graph/decoder.js";
import { type Capacity, createSession } from "./cache.js";

/** Tokens a decoder has read: their keys and values lie in a cache, one row a sequence. */
export interface Past {
  /** Copies the keys of each row's first `lengths` tokens to the first row of each prompt in another cache. */
  copyInto(cache: PastKeys, capacity: Capacity, lengths: readonly number[]): Promise<void>;
}

/** Sequences that a decoder-only model has read, to be continued any number of times. Release it with `dispose()`. */
export interface State {
  /** The tokens of each row. */
  readonly ids: readonly (readonly number[])[];
  /** Reads more tokens, a list a row; lists may be empty. Throws InputError beyond max_length. */
  append(ids: readonly (readonly number[])[]): Promise<void>;
  /** Forgets all but the first `length` tokens of each row. */
  truncate(length: number): void;
  /** A state of its own with the same tokens; nothing is computed again. */
  fork(): Promise<State>;
  readonly past: Past;
  dispose(): void;
}

/** Tokens to begin with, and where their keys lie. */
interface Origin {
  readonly ids: readonly (readonly number[])[];
  readonly past: Past;
}

export async function createState(
  core: DecoderCore,
  rows: number,
  max_length: number,
  during: During,
  origin?: Origin,
): Promise<State> {
  const { gpu, architecture: a } = core;
  if (!Number.isInteger(max_length) || max_length < 1 || max_length > a.decoder.P) {
    throw new OptionError(`state: max_length must be a whole number from 1 to ${a.decoder.P}, got ${show(max_length)}`);
  }
  const capacity: Capacity = { B: rows, n: 1, W: 1, M: max_length, S: 1 };
  const session = createSession(core, capacity);
  const { caches } = session.cache;
  let ids = origin?.ids ?? Array.from({ length: rows }, (): readonly number[] => []);
  await origin?.past.copyInto(
    session.cache,
    capacity,
    ids.map(({ length }) => length),
  );
  const past: Past = {
    copyInto(target, { n, W, M }, lengths) {
      return gpu.copy(
        caches.flatMap((from, l) => {
          const width = from.shape[2];
          const to = target.caches[l];
          return lengths.map((length, b) => ({
            from,
            fromAt: b * max_length * width,
            to,
            toAt: b * n * W * M * width,
            count: length * width,
          }));
        }),
      );
    },
  };
  return {
    get ids() {
      return ids;
    },
    past,
    append: (more) =>
      during(async () => {
        if (more.length !== rows)
          throw new InputError(`state: append takes a list for each of its ${rows} rows, got ${more.length}`);
        const grown = ids.map((row, b) => [...row, ...more[b]]);
        const long = grown.findIndex(({ length }) => length > max_length);
        if (long >= 0)
          throw new InputError(
            `state: a row holds at most max_length=${max_length} tokens, row ${long} would have ${grown[long].length}; open it with a larger max_length`,
          );
        const bad = more.flat().find((id) => !Number.isInteger(id) || id < 0 || id >= a.V);
        if (bad !== undefined)
          throw new InputError(`state: ids must be whole numbers from 0 to ${a.V - 1}, got ${show(bad)}`);
        if (more.some(({ length }) => length > 0))
          await session.prompt(
            more,
            ids.map(({ length }) => length),
          );
        ids = grown;
      }),
    truncate(length) {
      if (!Number.isInteger(length) || length < 0)
        throw new OptionError(`state: truncate takes a whole number of tokens, got ${show(length)}`);
      ids = ids.map((row) => row.slice(0, length));
    },
    fork: () => during(() => createState(core, rows, max_length, during, { ids, past })),
    dispose: () => session.dispose(),
  };
}
