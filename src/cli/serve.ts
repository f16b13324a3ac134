import { readFile } from "node:fs/promises";
import { OptionError } from "../index.js";
import { ENGINE_RULES } from "../model/loop/engine_sizes.js";
import type { Rule } from "../runtime/checks.js";
import { LIMIT_RULES } from "../server/limits.js";
import type { Listening } from "../server/node.js";
import type * as HttpServer from "../server/index.js";
import { SERVE_RULES } from "../server/serve_rules.js";
import type { Options } from "./arguments.js";
import { MODEL_OPTIONS, option, PATH, split, table } from "./options.js";
import { loadMeter } from "./progress.js";
import { print, tell } from "./terminal.js";
import type { Call, Verb } from "./verb.js";

const GRACE = 30; // seconds
const { waiting: _, ...SIZES } = ENGINE_RULES; // waiting is a limit of all models
const SECONDS: Rule = {
  words: "a number of seconds, at least 0",
  holds: (value) => typeof value === "number" && value >= 0 && value <= 1e6,
};

/** `wgformer serve`: models behind HTTP. */
export const serve: Verb = {
  usage: "MODEL ...",
  words: [1, Infinity],
  summary: "answer over HTTP as OpenAI's API does",
  details: `Models that write answer /v1/completions and, with a chat template, /v1/chat/completions; those that make vectors /v1/embeddings and /v1/rerank, those that rank /v1/rerank, those that hear /v1/audio/transcriptions. /v1/models lists them, /health says whether the server is up, /metrics counts for Prometheus. Requests call a model as the command line does; NAME=MODEL gives it another name. A key in the variable WGFORMER_API_KEY is seen by no other user of the machine, as one on the command line is. Ctrl-C, or SIGTERM, lets what runs end and then says what did not. Needs the packages hono and @hono/node-server.`,
  examples: [
    "models/gpt2-brown --port 8000",
    "chat=Qwen/Qwen3-0.6B sentence-transformers/all-MiniLM-L6-v2 --slots 16384",
  ],
  sections: {
    Server: {
      ...table(SERVE_RULES, "ServeOptions"),
      grace: option(SECONDS, `Seconds that requests have to end when the server is stopped. Default ${GRACE}.`),
      chat_template: option(PATH, "A file with the chat template of models that have none, or in place of theirs."),
    },
    Limits: table(LIMIT_RULES, "LimitOptions"),
    "Engine of each model that writes": table(SIZES, "EngineOptions"),
    Model: MODEL_OPTIONS,
  },
  async run(call) {
    const { terminal, options } = call;
    const { grace = GRACE } = options as { readonly grace?: number };
    terminal.patience?.(1000 * grace + CLOSING);
    const listening = await open(call, modelsOf(call));
    await print(terminal, `listening at ${listening.url}`);
    if (!terminal.signal.aborted)
      await new Promise((resolve) => terminal.signal.addEventListener("abort", resolve, { once: true }));
    await tell(terminal, `stopping; requests have ${grace} s to end, a second Ctrl-C ends them now`);
    const { finished, cut } = await listening.close(1000 * grace);
    await tell(terminal, `${finished} requests have ended, ${cut} were cut off`);
    return cut ? 1 : 0;
  },
};

const CLOSING = 5000; // milliseconds after that

/** The models of the command line by the names that requests call them. */
function modelsOf({ model, texts }: Call): Readonly<Record<string, string>> {
  const models = new Map<string, string>();
  for (const word of [model, ...texts]) {
    const [, name = word, source = word] = /^([\w.-]+(?:\/[\w.-]+)*)=(.+)$/.exec(word) ?? [];
    if (models.has(name)) throw new OptionError(`serve: ${name} is given twice; NAME=MODEL gives one another name`);
    models.set(name, source);
  }
  return Object.fromEntries(models);
}

const pick = (options: Options, names: object): Options =>
  Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(names, name)));

/** Loads the models and listens. Throws OptionError where a package is missing, and all that the server throws. */
async function open({ options, terminal }: Call, models: Readonly<Record<string, string>>): Promise<Listening> {
  const { createServer, serve: listen } = await loadServer();
  const [load, others] = split(options);
  const path = others.chat_template as string | undefined;
  const keys = process.env.WGFORMER_API_KEY?.split(",").filter(Boolean);
  const shown = loadMeter(terminal);
  const { signal } = terminal;
  const opening = createServer(models, {
    ...(keys?.length && { api_key: keys }),
    ...pick(others, LIMIT_RULES),
    load: { ...load, signal, progress: shown.progress },
    engine: pick(others, SIZES),
    chat_template: path === undefined ? undefined : await readTemplate(path),
    onError: (error) => void tell(terminal, `wgformer: ${(error as Error).stack ?? String(error)}`),
  });
  const server = await opening.finally(() => void shown.clear());
  for (const { name, routes } of server.models) await tell(terminal, `${name}: ${routes.join(" ")}`);
  try {
    return await listen(server, pick(others, SERVE_RULES));
  } catch (error) {
    await server.close(0);
    throw error;
  }
}

async function loadServer(): Promise<typeof HttpServer> {
  try {
    await import("@hono/node-server");
    return await import("../server/index.js");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new OptionError(
      "serve: the packages hono and @hono/node-server must be there; npm install hono @hono/node-server",
    );
  }
}

async function readTemplate(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new OptionError(`serve: --chat_template must be the path of a file, ${(error as Error).message}`);
  }
}
