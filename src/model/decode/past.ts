import { InputError, OptionError, show } from "../../runtime/errors.js";
import { readInputs } from "../arguments.js";
import type { DecoderCore } from "../core.js";
import type { ModelInputs, TokenLists } from "../inputs.js";
import type { KeepAlive } from "../lifetime.js";
import { createDecoderCache, type DecoderCache, pastCopies } from "./cache.js";

/** Sequences that a decoder-only model has read, to be continued any number of times. Release them with `dispose()`. */
export interface PastKeyValues {
  /** The tokens of each row. */
  readonly ids: TokenLists;
  /** Reads more tokens, a list a row; lists may be empty. Throws InputError beyond max_length. */
  append(ids: TokenLists): Promise<void>;
  /** Forgets all but the first `length` tokens of each row. */
  truncate(length: number): void;
  /** A past of its own with the same tokens; nothing is computed again. */
  fork(): Promise<PastKeyValues>;
  /** Copies the keys and values of each row's first `lengths` tokens to the first row of each prompt in a cache. */
  copyInto(cache: DecoderCache, lengths: readonly number[]): Promise<void>;
  dispose(): void;
}

/** A past that has read these prompts. Throws InputError for a model with an encoder. */
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

/** How many rows, of how many tokens at most; and a past to begin with. */
interface PastOptions {
  readonly rows: number;
  readonly max_length: number;
  readonly origin?: PastKeyValues;
}

/** A past without tokens, or with those of `origin`. Throws OptionError for a max_length that the model has no positions for. */
async function createPast(
  core: DecoderCore,
  { rows, max_length, origin }: PastOptions,
  keepAlive: KeepAlive,
): Promise<PastKeyValues> {
  const { gpu, architecture: a } = core;
  if (!Number.isInteger(max_length) || max_length < 1 || max_length > a.decoder.P) {
    throw new OptionError(`past: max_length must be a whole number from 1 to ${a.decoder.P}, got ${show(max_length)}`);
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
        const grown = appended(ids, more, max_length, a.V);
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

/** Rows with more tokens behind them. Throws InputError when they do not fit. */
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
