import type { Model } from "../../src/model/model.js";
import type { GenerateOptions } from "../../src/model/decode/options.js";
import type { Server } from "./drive.js";
import type { Request } from "./requests.js";
import type { Setting } from "./settings.js";

/** An engine of a model. */
export type Engine = Awaited<ReturnType<Model["engine"]>>;

/** The options of a request: exactly as many tokens as it wants, or until the model ends it. */
export const optionsOf = ({ options }: Pick<Setting, "options">, { wanted }: Request): GenerateOptions =>
  wanted === undefined ? options : { ...options, max_new_tokens: wanted, eos_token_id: null };

/** All requests in one engine. */
export const engineServer = (engine: Engine, setting: Setting): Server => ({
  name: "engine",
  async answer(request, onTokens) {
    const inputs = { input_ids: [request.ids] };
    const { stream, result } = engine.submit({ inputs, options: optionsOf(setting, request) });
    for await (const { token_ids } of stream) onTokens(token_ids.length);
    await result;
  },
});

/** Calls of `stream`, one after the other, in the order of arrival. */
export function sequentialServer(model: Model, setting: Setting): Server {
  let last: Promise<void> = Promise.resolve();
  return {
    name: "sequential calls",
    answer(request, onTokens) {
      const run = async (): Promise<void> => {
        const events = model.stream({ input_ids: [request.ids] }, optionsOf(setting, request));
        for await (const { token_ids } of events) onTokens(token_ids.length);
      };
      last = last.then(run);
      return last;
    },
  };
}

/** Streams a whole batch: calls `onTokens` with a row, the number of its new tokens, and whether they end it. */
type Batch = (
  requests: readonly Request[],
  onTokens: (row: number, count: number, last: boolean) => void,
) => Promise<unknown>;

/**
 * Gathers `size` requests, or all that come, and answers them in one batch. Each has its answer with its own last token,
 * but the batch goes on to the longest.
 */
export function batchServer(name: string, size: number, run: Batch): Server {
  interface Asked {
    readonly request: Request;
    readonly onTokens: (count: number) => void;
    readonly done: () => void;
    readonly fail: (reason: unknown) => void;
    left: number;
  }
  let gathered: Asked[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const start = (): void => {
    const all = gathered;
    gathered = [];
    const take = (row: number, count: number, last: boolean): void => {
      const asked = all[row];
      if (asked.left <= 0) return;
      asked.onTokens(Math.min(count, asked.left));
      asked.left = last ? 0 : asked.left - count;
      if (asked.left <= 0) asked.done();
    };
    const requests = all.map(({ request }) => request);
    const running = last.then(() => run(requests, take));
    last = running.then(
      () => all.forEach(({ done }) => done()),
      (error: unknown) => all.forEach(({ fail }) => fail(error)),
    );
  };
  return {
    name,
    answer: (request, onTokens) =>
      new Promise((done, fail) => {
        gathered.push({ request, onTokens, done, fail, left: request.wanted ?? Infinity });
        if (gathered.length === size) start();
      }),
    flush() {
      if (gathered.length) start();
    },
  };
}

/** Requests in batches of `size`, each one call of `stream` with the length of its longest answer. */
export const staticServer = (model: Model, setting: Setting, size: number): Server =>
  batchServer("static batch", size, async (requests, onTokens) => {
    const longest = requests.reduce((a, b) => ((a.wanted ?? 0) < (b.wanted ?? 0) ? b : a));
    const events = model.stream({ input_ids: requests.map(({ ids }) => ids) }, optionsOf(setting, longest));
    const ends = new Set([model.generationDefaults.options.eos_token_id].flat());
    for await (const { row, token_ids } of events)
      onTokens(row, token_ids.length, longest.wanted === undefined && ends.has(token_ids.at(-1)));
  });
