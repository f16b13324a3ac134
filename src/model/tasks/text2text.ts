import { OptionError } from "../../runtime/errors.js";
import type { Launches } from "../decoding.js";
import { load, type LoadOptions, type Model } from "../model.js";
import type { GenerateOptions } from "../options.js";
import type { SourceLike } from "../source.js";
import { openTokenizer } from "../tokenizer.js";

export interface Text2TextOptions extends GenerateOptions {
  readonly signal?: AbortSignal;
  /** Texts decoded together; they are sorted by length first. Default 64. */
  readonly batch_size?: number;
  /** Let characters through that the vocabulary does not know. Default false. */
  readonly allow_unknown?: boolean;
  /** Called after each batch. */
  readonly progress?: (event: { readonly status: "progress"; readonly loaded: number; readonly total: number }) => void;
}

/** One hypothesis: its text, its token ids (start token first) and, under beam search, its score. */
export interface GeneratedText {
  readonly generated_text: string;
  readonly token_ids: readonly number[];
  readonly score?: number;
}

/** What a call did, summed over its batches; `ms` and `timed_steps` leave out each batch's first step, which compiles. */
export interface Text2TextStats {
  readonly steps: number;
  readonly tokens: number;
  readonly timed_steps: number;
  readonly ms: number;
  readonly launches: Launches;
}

/** Texts to texts by an encoder-decoder. One text gives its hypotheses, best first; a list gives a list of those. */
export interface Text2Text extends AsyncDisposable {
  (text: string, options?: Text2TextOptions): Promise<GeneratedText[]>;
  (texts: readonly string[], options?: Text2TextOptions): Promise<GeneratedText[][]>;
  readonly model: Model;
  /** Figures of the last call that ended. */
  stats(): Text2TextStats | undefined;
  dispose(): void;
}

/** Loads model and tokenizer. Throws as `load` does, and CheckpointError without tokenizer.json. */
export async function text2text(source: SourceLike, options: LoadOptions = {}): Promise<Text2Text> {
  const model = await load(source, options);
  const codec = await openTokenizer(model.checkpoint).catch((error) => {
    model.dispose();
    throw error;
  });
  let stats: Text2TextStats | undefined;

  const batch = async (sources: readonly number[][], choices: GenerateOptions & { signal?: AbortSignal }): Promise<GeneratedText[][]> => {
    const result = await model.generate({ input_ids: sources }, choices);
    const each = result.sequences.length / sources.length;
    const { steps, ms, launches } = result.stats;
    stats = {
      steps: (stats?.steps ?? 0) + steps,
      tokens: (stats?.tokens ?? 0) + result.lengths.reduce((sum, length) => sum + length - 1, 0),
      timed_steps: (stats?.timed_steps ?? 0) + steps - 1,
      ms: (stats?.ms ?? 0) + ms,
      launches,
    };
    return sources.map((_, b) => Array.from({ length: each }, (_, rank) => {
      const row = b * each + rank;
      const token_ids = result.sequences[row].slice(0, result.lengths[row]);
      const score = result.sequences_scores?.[row];
      return { generated_text: codec.decode(token_ids), token_ids, ...(score !== undefined && { score }) };
    }));
  };

  async function call(text: string, options?: Text2TextOptions): Promise<GeneratedText[]>;
  async function call(texts: readonly string[], options?: Text2TextOptions): Promise<GeneratedText[][]>;
  async function call(input: string | readonly string[], options: Text2TextOptions = {}): Promise<GeneratedText[] | GeneratedText[][]> {
    const { batch_size = 64, allow_unknown = false, progress, ...choices } = options;
    if (!Number.isInteger(batch_size) || batch_size < 1) throw new OptionError(`text2text: batch_size must be a whole number of at least 1, got ${batch_size}`);
    const texts = typeof input === "string" ? [input] : input;
    const sources = texts.map((text) => codec.encode(text, allow_unknown));
    const order = sources.map((_, index) => index).sort((x, y) => sources[y].length - sources[x].length);
    const results: GeneratedText[][] = [];
    stats = undefined;
    for (let first = 0; first < Math.max(1, order.length); first += batch_size) {
      const chosen = order.slice(first, first + batch_size);
      const generated = await batch(chosen.map((index) => sources[index]), choices);
      chosen.forEach((index, at) => (results[index] = generated[at]));
      progress?.({ status: "progress", loaded: Math.min(order.length, first + batch_size), total: order.length });
    }
    return typeof input === "string" ? results[0] : results;
  }

  const dispose = (): void => model.dispose();
  return Object.assign(call, { model, stats: () => stats, dispose, [Symbol.asyncDispose]: async () => dispose() });
}
