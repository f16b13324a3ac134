// The built server and the clients that people use, which Node alone loads.
import type { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type * as ai from "ai";
import type OpenAI from "openai";
import type * as root from "../../src/index.js";
import type * as built from "../../src/server/index.js";
import { fixture } from "./letters.js";

const load = (name: string): Promise<unknown> => import(name); // not into the bundle of the tests

/** What `wgformer/server` exports. */
export const server = async (): Promise<typeof built> =>
  (await load(new URL("../dist/server/index.js", import.meta.url).href)) as typeof built;

/** What the built `wgformer` exports. */
export const library = async (): Promise<typeof root> =>
  (await load(new URL("../dist/index.js", import.meta.url).href)) as typeof root;

/** A template for models that have none. */
export const TEMPLATE = `{% for message in messages %}{{ message.role | capitalize }}:{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}`;

// A folder of sentence-transformers.
const SENTENCES = {
  "modules.json": [
    { path: "", type: "sentence_transformers.models.Transformer" },
    { path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    { path: "2_Normalize", type: "sentence_transformers.models.Normalize" },
  ].map((module, idx) => ({ idx, name: String(idx), ...module })),
  "1_Pooling/config.json": { word_embedding_dimension: 64, pooling_mode_mean_tokens: true },
  "sentence_bert_config.json": { max_seq_length: 12, do_lower_case: false },
};

/** The models of the tests. */
export const MODELS = {
  brown: "models/gpt2-brown",
  g2p: "models/g2p-en",
  vectors: fixture("bert", SENTENCES),
  states: fixture("distilbert"),
  ranks: fixture("tasks/bert-ranker"),
  speech: "tests/fixtures/speech",
};

/** The client of the package `openai`, which tries nothing again. */
export async function openAI(url: string, apiKey = "none"): Promise<OpenAI> {
  const { default: Client } = (await load("openai")) as { readonly default: typeof OpenAI };
  return new Client({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
}

/** The package `ai` and its provider of servers that speak OpenAI's API. */
export async function aiSDK(url: string) {
  const provider = (await load("@ai-sdk/openai-compatible")) as {
    readonly createOpenAICompatible: typeof createOpenAICompatible;
  };
  return {
    ai: (await load("ai")) as typeof ai,
    models: provider.createOpenAICompatible({ name: "wgformer", baseURL: `${url}/v1`, includeUsage: true }),
  };
}

/** Sends JSON. */
export const post = (url: string, body: unknown, more: RequestInit = {}): Promise<Response> =>
  fetch(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...more,
    headers: { "content-type": "application/json", ...more.headers },
  });

/** What an answer tells of an error. */
export interface Told {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** The error of an answer. */
export const errorOf = async (response: Response): Promise<Told> =>
  ((await response.json()) as { readonly error: Told }).error;

/** The numbers of /metrics by their names with labels. */
export async function metricsOf(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** Waits until something holds, for 5 seconds at most. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("must come to hold within 5 seconds");
}
