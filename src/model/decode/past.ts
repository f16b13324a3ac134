import { checkOptions, wholeNumber } from "../../runtime/checks.js";
import { InputError, OptionError, show } from "../../runtime/errors.js";
import { readPrompts } from "../sources.js";
import type { DecoderCore } from "../core.js";
import type { ModelInputs, TokenLists, TokenRows } from "../inputs.js";
import { createLifetime, type KeepAlive } from "../lifetime.js";
import { readLists } from "../lists.js";
import { type Continued, createPastCache, type PastCache } from "./past_cache.js";
import { createPastPool } from "./past_pool.js";
import type { Pool } from "../loop/pool.js";

/**
 * Sequences that a decoder-only model has read, which can be continued any number of times. Calls may overlap: each sees
 * the tokens of all calls before it. Release them with `dispose()`: calls in flight still finish.
 */
export interface PastKeyValues {
  /** The tokens of each row. */
  readonly ids: TokenLists;
  /**
   * Reads more tokens: a list for each row, which may be empty. Throws InputError for bad ids and beyond max_length.
   */
  append(ids: TokenRows): Promise<void>;
  /** Forgets all but the first `length` tokens of each row. Throws OptionError unless it is a whole number. */
  truncate(length: number): void;
  /**
   * An independent copy, which may hold more tokens or fewer. Nothing is computed again, and the tokens that both have
   * take no more memory. Throws as `past` does.
   */
  fork(options?: PastOptions): Promise<PastKeyValues>;
  /** Throws InputError after `dispose()`, and unless it was made by the model with this core. */
  check(core: DecoderCore): void;
  /**
   * Copies the keys and values with which prompts begin to the first of their slots in another pool. Resolves with the
   * number of their tokens, which may be 0.
   */
  copyInto(target: Pool, prompts: readonly Continued[]): Promise<number[]>;
  /** Frees its memory. */
  dispose(): void;
}

/** How much a past can hold. */
export interface PastOptions {
  /** The most tokens of a row. Default 2,048, or fewer where the model has fewer positions. */
  readonly max_length?: number;
}

/** Reads prompts into a new past. Throws InputError for bad inputs or a model with an encoder, and OptionError. */
export function openPast(
  core: DecoderCore,
  inputs: ModelInputs,
  options: PastOptions,
  keepAlive: KeepAlive,
): Promise<PastKeyValues> {
  const { encoder, decoder, family } = core.architecture;
  if (encoder)
    throw new InputError(`past: must be called on a decoder-only model, ${family} has an encoder; use decoder()`);
  const max_length = readLength(core, options, Math.min(decoder.P, 2048));
  const { ids } = readPrompts(core.architecture, inputs, { holes: "drop" });
  checkLength(ids, max_length);
  const cache = createPastCache(createPastPool(core, ids.length), ids.length, max_length);
  return createPast(core, { first: ids, max_length, cache }, keepAlive);
}

/** The tokens that a past begins with, the most tokens of a row, and what may hold some of them already. */
interface Beginning {
  readonly first: TokenLists;
  readonly max_length: number;
  readonly cache: PastCache;
}

/** A past that has read `first`. Its tokens change at once; what the device holds follows. */
async function createPast(
  core: DecoderCore,
  { first, max_length, cache }: Beginning,
  keepAlive: KeepAlive,
): Promise<PastKeyValues> {
  const life = createLifetime("past", "open another", () => cache.dispose());
  const during: KeepAlive = (call) => keepAlive(() => life.keepAlive(call));
  let ids = first;
  const append = async (more: unknown): Promise<void> => {
    const before = ids;
    const grown = appended(ids, more, max_length, core.architecture.V);
    ids = grown;
    try {
      await cache.read(grown);
    } catch (error) {
      if (ids === grown) ids = before;
      throw error;
    }
  };
  const self: PastKeyValues = {
    get ids() {
      return ids.map((row) => [...row]);
    },
    append: (more) => during(() => append(more)),
    truncate(length) {
      life.check();
      if (!Number.isInteger(length) || length < 0)
        throw new OptionError(`past: truncate takes a whole number of tokens, got ${show(length)}`);
      ids = ids.map((row) => row.slice(0, length));
      void cache.trim(ids);
    },
    fork: (options = {}) =>
      during(async () => {
        const most = readLength(core, options, max_length);
        checkLength(ids, most);
        const beginning = { first: ids, max_length: most, cache: await cache.fork(ids, most) };
        return createPast(core, beginning, keepAlive);
      }),
    check(other) {
      life.check();
      if (other !== core) throw new InputError("past_key_values: must be of this model, got another's; read it again");
    },
    copyInto: async (target, prompts) =>
      life.ended ? prompts.map(() => 0) : life.keepAlive(() => cache.copyInto(target, prompts)),
    dispose: life.dispose,
  };
  try {
    await cache.read(first);
    return self;
  } catch (error) {
    self.dispose();
    throw error;
  }
}

/** The most tokens of a row; `usual` where the options do not say it. Throws OptionError. */
function readLength({ architecture }: DecoderCore, options: PastOptions, usual: number): number {
  checkOptions("past", options, { max_length: wholeNumber(1, architecture.decoder.P) });
  return options.max_length ?? usual;
}

function checkLength(rows: TokenLists, max_length: number): void {
  const long = rows.findIndex(({ length }) => length > max_length);
  if (long >= 0)
    throw new InputError(
      `past: a row holds at most max_length=${max_length} tokens, row ${long} would have ${rows[long].length}; open it with a larger max_length`,
    );
}

/** Rows with more tokens appended. Throws InputError when they do not fit. */
function appended(ids: TokenLists, given: unknown, max_length: number, V: number): TokenLists {
  const more = readLists("past: append", given, V);
  if (more.length !== ids.length)
    throw new InputError(`past: append takes a list for each of its ${ids.length} rows, got ${more.length}`);
  const grown = ids.map((row, b) => [...row, ...more[b]]);
  checkLength(grown, max_length);
  return grown;
}
