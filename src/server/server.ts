import { type CheckpointLike, type EngineOptions, gpu as openGpu, type LoadOptions } from "../index.js";
import { CALLBACK, checkOptions, objectWith } from "../runtime/checks.js";
import { OptionError, show } from "../runtime/errors.js";
import { createActivity } from "./activity.js";
import { createApp } from "./app.js";
import { createCounters } from "./counters.js";
import { LIMIT_RULES, type LimitOptions, withDefaults } from "./limits.js";
import { openServed, routesOf, type Served } from "./served.js";

/** Options of a server. */
export interface ServerOptions extends LimitOptions {
  /** How the models are loaded. They share a device, which is opened unless it is given here. */
  readonly load?: LoadOptions;
  /** The sizes of the engines that make texts, as `model.engine` takes them; `waiting` is a limit of all models. */
  readonly engine?: Omit<EngineOptions, "waiting">;
  /** The chat template of models that have none, or in place of their own. */
  readonly chat_template?: string;
  /** Called with errors that are the server's own; clients are told no more than that there was one. */
  readonly onError?: (error: unknown) => void;
}

/** What became of the requests that were open when a server closed. */
export interface Closing {
  /** How many ended by themselves. */
  readonly finished: number;
  /** How many were ended. */
  readonly cut: number;
}

/** A model of a server. */
export interface ServedModel {
  /** What requests call it. */
  readonly name: string;
  /** What it does. */
  readonly task: string;
  /** The routes that it answers. */
  readonly routes: readonly string[];
}

/** An HTTP server as a function, for whatever listens. */
export interface Server extends AsyncDisposable {
  /** Answers a request. `environment` is what the listener gives besides, such as the streams of Node. */
  readonly fetch: (request: Request, environment?: object) => Promise<Response>;
  /** Counts a connection that the listener has refused, for /metrics. */
  readonly onRefused: () => void;
  /** Its models. */
  readonly models: readonly ServedModel[];
  /**
   * Answers no more requests, waits for so many milliseconds until those that are open have ended, ends the others, and
   * releases the models. Default 30000.
   */
  close(milliseconds?: number): Promise<Closing>;
}

const GRACE = 30_000; // milliseconds

const RULES = {
  ...LIMIT_RULES,
  load: objectWith("options of load"),
  engine: objectWith("options of engine"),
  chat_template: { words: "a template", holds: (value: unknown) => typeof value === "string" },
  onError: CALLBACK,
};

/**
 * Loads models and makes the server that answers for them as OpenAI's API does: completions and chat completions by models
 * that write, embeddings and rerank by those that make vectors or rank, transcriptions by those that hear. The models are
 * given by the names that requests call them. The server listens nowhere: `serve` does in Node, and `Deno.serve` and
 * `Bun.serve` take `fetch`. Needs the package hono. Throws OptionError, and all that `load` throws.
 *
 * @example
 * const server = await createServer({ brown: "models/gpt2-brown" }, { engine: { slots: 4096, rows: 16 } });
 * const body = JSON.stringify({ model: "brown", prompt: "The jury said", temperature: 0 });
 * const headers = { "content-type": "application/json" };
 * const answer = await server.fetch(new Request("http://server/v1/completions", { method: "POST", headers, body }));
 * console.log(await answer.json());
 * await server.close();
 */
export async function createServer(
  models: Readonly<Record<string, CheckpointLike>>,
  options: ServerOptions = {},
): Promise<Server> {
  checkOptions("createServer", options, RULES);
  if (Object.keys(models).length === 0)
    throw new OptionError(`createServer: models must have at least one, got ${show(models)}`);
  const { load = {}, engine = {}, chat_template, onError, ...given } = options;
  const limits = withDefaults(given);
  const metrics = createCounters();
  const retryAfter = (): number => Math.min(60, Math.max(1, Math.ceil(metrics.mean("request_seconds") ?? 1)));
  const gpu = load.gpu ?? (await openGpu({ device: load.device, powerPreference: load.powerPreference }));
  const { device: _device, powerPreference: _power, ...rest } = load;
  const opened = new Map<string, Served>();
  const release = (): void => {
    for (const model of opened.values()) model.dispose();
    if (!load.gpu) gpu.dispose();
  };
  try {
    const how = { load: { ...rest, gpu }, engine, chat_template, limits, metrics, retryAfter };
    for (const [name, source] of Object.entries(models)) opened.set(name, await openServed(name, source, how));
  } catch (error) {
    release();
    throw error;
  }
  const activity = createActivity();
  const app = createApp({ models: opened, chat_template, onError, limits, metrics, activity, retryAfter });
  let closing: Promise<Closing> | undefined;
  const close = (milliseconds = GRACE): Promise<Closing> => (closing ??= activity.close(milliseconds).finally(release));
  return {
    fetch: async (request, environment) => app.fetch(request, environment),
    onRefused: () => metrics.count("connections_refused_total", {}),
    models: [...opened.values()].map((one) => ({ name: one.name, task: one.task, routes: routesOf(one) })),
    close,
    [Symbol.asyncDispose]: async () => void (await close()),
  };
}
