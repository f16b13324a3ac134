import { InputError, OptionError, show } from "../../runtime/errors.js";
import { readInputs } from "../arguments.js";
import type { DecoderCore } from "../core.js";
import type { ModelInputs, TokenLists } from "../inputs.js";
import type { KeepAlive } from "../lifetime.js";
import { createDecoderCache, type DecoderCache, pastCopies } from "./cache.js";

/**
 * Sequences that a decoder-only model has read, which can be continued any number of times. Release them with
 * `dispose()`.
 */
export interface PastKeyValues {
  /** The tokens of each row. */
  readonly ids: TokenLists;
  /**
   * Reads more tokens: a list for each row, which may be empty. Throws InputError for bad ids and beyond max_length.
   */
  append(ids: TokenLists): Promise<void>;
  /** Forgets all but the first `length` tokens of each row. Throws OptionError unless it is a whole number. */
  truncate(length: number): void;
  /** An independent copy; nothing is computed again. */
  fork(): Promise<PastKeyValues>;
  /** Copies the keys and values of the first `lengths[b]` tokens of row b to prompt b of a cache. */
  copyInto(cache: DecoderCache, lengths: readonly number[]): Promise<void>;
  /** Frees its memory. */
  dispose(): void;
}

/** Reads prompts into a new past. Throws InputError for bad inputs or a model with an encoder, and OptionError. */
export async function openPast(
  core: DecoderCore,
  inputs: ModelInputs,
  { max_length = Math.min(core.architecture.decoder.P, 2048) }: { readonly max_length?: number },
  keepAlive: KeepAlive,
): Promise<PastKeyValues> {
  const { encoder, family } = core.architecture;
  if (encoder)
    throw new InputError(`past: must be called on a decoder-only model, ${family} has an encoder; use decoder()`);
  const { ids } = readInputs(core.architecture, inputs);
  const past = await createPast(core, { rows: ids.length, max_length }, keepAlive);
  try {
    await past.append(ids);
    return past;
  } catch (error) {
    past.dispose();
    throw error;
  }
}

/** The number of rows, the most tokens of a row, and a past to copy. */
interface PastOptions {
  readonly rows: number;
  readonly max_length: number;
  readonly origin?: PastKeyValues;
}

/** An empty past, or a copy of `origin`. Throws OptionError when the model has fewer positions than max_length. */
async function createPast(
  core: DecoderCore,
  { rows, max_length, origin }: PastOptions,
  keepAlive: KeepAlive,
): Promise<PastKeyValues> {
  const { gpu, architecture } = core;
  if (!Number.isInteger(max_length) || max_length < 1 || max_length > architecture.decoder.P) {
    throw new OptionError(
      `past: max_length must be a whole number from 1 to ${architecture.decoder.P}, got ${show(max_length)}`,
    );
  }
  const cache = createDecoderCache(core, { B: rows, n: 1, W: 1, M: max_length, S: 1 });
  let ids = origin?.ids ?? Array.from({ length: rows }, (): readonly number[] => []);
  const lengths = (): number[] => ids.map(({ length }) => length);
  await origin?.copyInto(cache, lengths());
  const past: PastKeyValues = {
    get ids() {
      return ids;
    },
    append: (more) =>
      keepAlive(async () => {
        const grown = appended(ids, more, max_length, architecture.V);
        if (more.some(({ length }) => length > 0)) await cache.prompt(more, lengths());
        ids = grown;
      }),
    truncate(length) {
      if (!Number.isInteger(length) || length < 0)
        throw new OptionError(`past: truncate takes a whole number of tokens, got ${show(length)}`);
      ids = ids.map((row) => row.slice(0, length));
    },
    fork: () => keepAlive(() => createPast(core, { rows, max_length, origin: past }, keepAlive)),
    copyInto: (target, counts) => gpu.copy(pastCopies(cache, target, [...counts.keys()], counts)),
    dispose: () => cache.dispose(),
  };
  return past;
}

/** Rows with more tokens appended. Throws InputError when they do not fit. */
function appended(ids: TokenLists, more: TokenLists, max_length: number, V: number): number[][] {
  if (more.length !== ids.length)
    throw new InputError(`past: append takes a list for each of its ${ids.length} rows, got ${more.length}`);
  const grown = ids.map((row, b) => [...row, ...more[b]]);
  const long = grown.findIndex(({ length }) => length > max_length);
  if (long >= 0)
    throw new InputError(
      `past: a row holds at most max_length=${max_length} tokens, row ${long} would have ${grown[long].length}; open it with a larger max_length`,
    );
  const bad = more.flat().find((id) => !Number.isInteger(id) || id < 0 || id >= V);
  if (bad !== undefined) throw new InputError(`past: ids must be whole numbers from 0 to ${V - 1}, got ${show(bad)}`);
  return grown;
}
