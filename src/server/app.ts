import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { answerTexts } from "./answers.js";
import type { Activity, Call } from "./activity.js";
import { readForm, readJson } from "./body.js";
import { readChat } from "./chat.js";
import { readCompletion } from "./completions.js";
import { readingsOf } from "./counters.js";
import { answerEmbeddings } from "./embeddings.js";
import { ApiError, asApiError, errorResponse, invalid } from "./errors.js";
import { createKeyCheck } from "./keys.js";
import { answerRerank } from "./rerank.js";
import type { Limits } from "./limits.js";
import type { Metrics } from "./metrics.js";
import { routesOf, type Served } from "./served.js";
import type { StreamHooks } from "./sse.js";
import { answerTranscription, modelOf } from "./transcriptions.js";

/** What the routes of a server work with. */
export interface ServerParts {
  readonly models: ReadonlyMap<string, Served>;
  readonly limits: Limits;
  readonly chat_template: string | undefined;
  /** Told of errors that are the server's own. */
  readonly onError: ((error: unknown) => void) | undefined;
  readonly metrics: Metrics;
  readonly activity: Activity;
  readonly retryAfter: () => number;
}

/** What a route answers with; `hooks` are for a stream, which ends the call itself. */
type Route = (c: Context, call: Call, hooks: Omit<StreamHooks, "call">) => Promise<Response>;

/** The routes of a server, by Hono. */
export function createApp(parts: ServerParts): Hono {
  const { models, limits, metrics, activity, chat_template } = parts;
  const app = new Hono();
  if (limits.cors !== undefined)
    app.use(cors({ origin: limits.cors as string | string[], allowHeaders: ["authorization", "content-type"] }));
  if (limits.api_key !== undefined) app.use(keyed([limits.api_key].flat()));
  const post = (path: string, route: Route): void => void app.post(path, (c) => work(parts, path, c, route));

  post("/v1/completions", async (c, call, hooks) => {
    const body = await readJson(c.req.raw, limits.max_body);
    const texts = modelFor(parts, nameIn(body), "/v1/completions", "texts");
    return answerTexts(readCompletion(body, limits.max_texts, texts), texts, call, hooks);
  });
  post("/v1/chat/completions", async (c, call, hooks) => {
    const body = await readJson(c.req.raw, limits.max_body);
    const texts = modelFor(parts, nameIn(body), "/v1/chat/completions", "texts");
    return answerTexts(readChat(body, texts, chat_template), texts, call, hooks);
  });
  post("/v1/embeddings", async (c, { signal }) => {
    const body = await readJson(c.req.raw, limits.max_body);
    const embed = modelFor(parts, nameIn(body), "/v1/embeddings", "embed");
    return Response.json(await answerEmbeddings(body, embed, limits.max_texts, signal));
  });
  post("/v1/rerank", async (c, { signal }) => {
    const body = await readJson(c.req.raw, limits.max_body);
    const score = modelFor(parts, nameIn(body), "/v1/rerank", "score");
    return Response.json(await answerRerank(body, score, limits.max_texts, signal));
  });
  post("/v1/audio/transcriptions", async (c, { signal }) => {
    const form = await readForm(c.req.raw, limits.max_audio);
    const transcribe = modelFor(parts, modelOf(form), "/v1/audio/transcriptions", "transcribe");
    return answerTranscription(form, transcribe, signal);
  });

  app.get("/v1/models", () => Response.json({ object: "list", data: [...models.values()].map(describe) }));
  app.get("/v1/models/:name{.+}", (c) => {
    const found = models.get(c.req.param("name"));
    return found ? Response.json(describe(found)) : errorResponse(noModel(c.req.param("name"), models));
  });
  app.get("/health", () =>
    activity.closed
      ? Response.json({ status: "shutting down" }, { status: 503 })
      : Response.json({ status: "ok", models: [...models.keys()] }),
  );
  app.get("/metrics", () => {
    const now = [{ name: "requests_open", labels: {}, value: activity.open }, ...readingsOf(models.values())];
    return new Response(metrics.text(now), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  });
  app.notFound((c) =>
    errorResponse(
      new ApiError(`${c.req.method} ${c.req.path} is no route of this server`, { status: 404, code: "not_found" }),
    ),
  );
  app.onError((error) => fail(parts, error));
  return app;
}

/** Answers a request by its route, and counts it when its answer has ended. */
async function work(parts: ServerParts, path: string, c: Context, route: Route): Promise<Response> {
  const { activity, metrics, limits } = parts;
  const start = performance.now();
  const count = (status: number): void => {
    metrics.count("http_requests_total", { route: path, code: String(status) });
    metrics.observe("request_seconds", { route: path }, (performance.now() - start) / 1e3);
  };
  let call: Call | undefined;
  let streams = false;
  try {
    const begun = activity.begin(c.req.raw.signal, limits.timeout);
    call = begun;
    const { outgoing } = (c.env ?? {}) as { readonly outgoing?: { destroy(): void } };
    const response = await route(c, begun, {
      patience: limits.read_timeout,
      tell: (error) => told(parts, error),
      ended(error) {
        begun.end();
        count(error?.fields.status ?? 200);
      },
      ...(outgoing && { cut: () => outgoing.destroy() }),
    });
    streams = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    if (!streams) count(response.status);
    return response;
  } catch (error) {
    const known = told(parts, error);
    count(known.fields.status);
    return errorResponse(known);
  } finally {
    if (!streams) call?.end();
  }
}

/** An error as the client is told of it; one of ours is reported. */
function told({ retryAfter, onError }: ServerParts, error: unknown): ApiError {
  const known = asApiError(error, retryAfter);
  if (known.fields.status >= 500 && known !== error) onError?.(error);
  return known;
}

const fail = (parts: ServerParts, error: unknown): Response => errorResponse(told(parts, error));

/** Lets requests pass that give a key, and those for /health. */
function keyed(keys: readonly string[]) {
  const holds = createKeyCheck(keys);
  return async (c: Context, next: () => Promise<void>): Promise<Response | void> => {
    if (c.req.path === "/health" || (await holds(c.req.raw))) return next();
    return errorResponse(
      new ApiError("a key must be given, as authorization: Bearer KEY", { status: 401, code: "invalid_api_key" }),
    );
  };
}

function nameIn(body: unknown): unknown {
  return typeof body === "object" && body !== null ? (body as { readonly model?: unknown }).model : undefined;
}

const noModel = (name: string, models: ServerParts["models"]): ApiError =>
  new ApiError(`model: must be one of ${[...models.keys()].join(", ")}, got ${name}`, {
    status: 404,
    param: "model",
    code: "model_not_found",
  });

/** The model of a request, as what `kind` names. Throws ApiError. */
function modelFor<K extends "texts" | "embed" | "score" | "transcribe">(
  { models }: ServerParts,
  name: unknown,
  route: string,
  kind: K,
): NonNullable<Served[K]> {
  if (typeof name !== "string") throw invalid("model", "model: must be given, a name", "missing_parameter");
  const found = models.get(name);
  if (!found) throw noModel(name, models);
  const routes = routesOf(found);
  const answers = found[kind];
  if (answers && routes.includes(route)) return answers;
  throw invalid(
    "model",
    `model: ${name} must be one for ${route}, it answers ${routes.join(" and ")}`,
    "model_not_supported",
  );
}

const describe = (model: Served): object => ({
  id: model.name,
  object: "model",
  created: model.created,
  owned_by: "wgformer",
  task: model.task,
  routes: routesOf(model),
});
