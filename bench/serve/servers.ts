import type { Model } from "../../src/model/model.js";
import type { GenerateOptions } from "../../src/model/decode/options.js";
import type { Server } from "./drive.js";
import type { Request } from "./requests.js";

/** An engine of a model. */
type Engine = Awaited<ReturnType<Model["engine"]>>;

/** What every request of a load asks for besides its own length. */
export type Load = Pick<GenerateOptions, "num_beams" | "max_length">;

/** The options of a request: exactly as many tokens as it wants, or until the model ends it. */
const optionsOf = (load: Load, { wanted }: Request): GenerateOptions =>
  wanted === undefined ? load : { ...load, max_new_tokens: wanted, eos_token_id: null };

/** All requests in one engine. */
export const engineServer = (engine: Engine, load: Load): Server => ({
  name: "engine",
  async answer(request, onTokens) {
    const inputs = { input_ids: [request.ids] };
    const { stream, result } = engine.submit({ inputs, options: optionsOf(load, request) });
    for await (const { token_ids } of stream) onTokens(token_ids.length);
    await result;
  },
});

/** Calls of `stream`, one after the other, in the order of arrival. */
export function sequentialServer(model: Model, load: Load): Server {
  let last: Promise<void> = Promise.resolve();
  return {
    name: "sequential calls",
    answer(request, onTokens) {
      const run = async (): Promise<void> => {
        const events = model.stream({ input_ids: [request.ids] }, optionsOf(load, request));
        for await (const { token_ids } of events) onTokens(token_ids.length);
      };
      last = last.then(run);
      return last;
    },
  };
}

/** Streams a whole batch: calls `onTokens` with the row and the number of its new tokens. */
export type Batch = (requests: readonly Request[], onTokens: (row: number, count: number) => void) => Promise<unknown>;

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
    const take = (row: number, count: number): void => {
      const asked = all[row];
      if (asked.left > 0) asked.onTokens(Math.min(count, asked.left));
      if (asked.left > 0 && asked.left <= count) asked.done();
      asked.left -= count;
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
export const staticServer = (model: Model, load: Load, size: number): Server =>
  batchServer("static batch", size, async (requests, onTokens) => {
    const longest = requests.reduce((a, b) => ((a.wanted ?? 0) < (b.wanted ?? 0) ? b : a));
    const events = model.stream({ input_ids: requests.map(({ ids }) => ids) }, optionsOf(load, longest));
    for await (const { row, token_ids } of events) onTokens(row, token_ids.length);
  });
