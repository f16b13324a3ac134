import type { Gpu } from "../src/index.js";
import type { ServerOptions } from "../src/server/index.js";
import { assert, suite } from "./support/harness.js";
import { errorOf, library, metricsOf, MODELS, post, server, until } from "./support/served.js";

const elsewhere = "the listening server runs in Node";
const test = suite("limits of serve", { deno: elsewhere, chrome: elsewhere });

interface Use {
  readonly url: string;
  readonly close: (milliseconds?: number) => Promise<{ readonly finished: number; readonly cut: number }>;
}

let sharing: Promise<Gpu> | undefined; // by the first server, for all: each device compiles anew
const shared = (): Promise<Gpu> => (sharing ??= library().then(({ gpu }) => gpu()));

/** Serves the model of prose with these options while `use` runs. */
async function serving(
  options: ServerOptions & { readonly max_connections?: number },
  use: (it: Use) => Promise<void>,
) {
  const { createServer, serve } = await server();
  const { max_connections, ...own } = options;
  const opened = await createServer({ brown: MODELS.brown }, { load: { gpu: await shared() }, ...own });
  const { url, close } = await serve(opened, { port: 0, max_connections });
  try {
    await use({ url, close });
  } finally {
    await close(0);
  }
}

const LONG = { model: "brown", prompt: "The jury said", max_tokens: 240, temperature: 0, stream: true };
const SHORT = { ...LONG, max_tokens: 2, stream: false };

/** A stream that has begun: its first piece, and the others as one text. */
async function begin(url: string, body: object = LONG, more: RequestInit = {}) {
  const response = await post(`${url}/v1/completions`, body, more);
  assert.is(response.status, 200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const first = decoder.decode((await reader.read()).value);
  const rest = async (): Promise<string> => {
    let text = first;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += decoder.decode(piece.value);
    return text;
  };
  return { first, rest, reader };
}

const RUNNING = 'wgformer_requests_running{model="brown"}';
const CANCELLED = 'wgformer_requests_total{model="brown",state="cancelled"}';

/** Waits until the engine does nothing, and gives how many requests were cancelled. */
async function cancelled(url: string): Promise<number> {
  let now = await metricsOf(url);
  await until(async () => (now = await metricsOf(url)).get(RUNNING) === 0);
  assert.is(now.get('wgformer_rows{model="brown",state="used"}'), 0);
  return now.get(CANCELLED) ?? 0;
}

test("keys: one of them must be given, but for /health", () =>
  serving({ api_key: ["first", "second"], max_body: 500, cors: "https://page.example" }, async ({ url }) => {
    const sent = (key?: string): Promise<Response> =>
      post(`${url}/v1/completions`, SHORT, key ? { headers: { authorization: `Bearer ${key}` } } : {});
    for (const key of [undefined, "firs", "firsts", "third"]) {
      const response = await sent(key);
      assert.equal([response.status, response.headers.get("www-authenticate")], [401, "Bearer"]);
      assert.is((await errorOf(response)).code, "invalid_api_key");
    }
    for (const key of ["first", "second"]) assert.is((await sent(key)).status, 200);
    assert.equal([(await fetch(`${url}/health`)).status, (await fetch(`${url}/metrics`)).status], [200, 401]);
    const headers = { origin: "https://page.example", "access-control-request-method": "POST" };
    const asked = await fetch(`${url}/v1/completions`, { method: "OPTIONS", headers });
    assert.equal([asked.status, asked.headers.get("access-control-allow-origin")], [204, "https://page.example"]);
    const other = { ...headers, origin: "https://other.example" };
    const refused = await fetch(`${url}/v1/completions`, { method: "OPTIONS", headers: other });
    assert.is(refused.headers.get("access-control-allow-origin"), null);
    const long = await post(
      `${url}/v1/completions`,
      { ...SHORT, prompt: "a".repeat(600) },
      { headers: { authorization: "Bearer first" } },
    );
    assert.equal([long.status, (await errorOf(long)).code], [413, "request_too_large"]);
  }));

test("what is no request is told so, and the server goes on", () =>
  serving({ max_body: 500, max_prompt_tokens: 3 }, async ({ url }) => {
    const path = `${url}/v1/completions`;
    const answers = [
      [await post(path, "{"), 400, "invalid_json"],
      [await post(path, "[]"), 400, "missing_parameter"],
      [await post(path, SHORT, { headers: { "content-type": "text/plain" } }), 415, "unsupported_media_type"],
      [await fetch(path), 404, "not_found"],
      [await post(`${url}/v1/none`, SHORT), 404, "not_found"],
      [await post(path, SHORT), 400, "invalid_value"], // four tokens
    ] as const;
    for (const [response, status, code] of answers)
      assert.equal([response.status, (await errorOf(response)).code], [status, code]);
    const pieces = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(200)) });
    const endless = await post(path, "", { body: pieces, duplex: "half" } as RequestInit);
    assert.is(endless.status, 413);
    assert.is((await post(path, { ...SHORT, prompt: "The" })).status, 200);
  }));

test("one request too many, and one that waits too long, are told when to come back; one that leaves makes room", () =>
  serving({ waiting: 1, queue_timeout: 0.3, engine: { rows: 1, beams: 1 } }, async ({ url }) => {
    const path = `${url}/v1/completions`;
    const left = new AbortController();
    const running = await begin(url, LONG, { signal: left.signal });
    const waiting = post(path, SHORT);
    await until(async () => (await metricsOf(url)).get('wgformer_requests_waiting{model="brown"}') === 1);
    const refused = await post(path, SHORT);
    const late = await waiting;
    for (const [response, status, type, code] of [
      [refused, 429, "rate_limit_error", "rate_limit_exceeded"],
      [late, 503, "server_error", "queue_timeout"],
    ] as const) {
      const told = await errorOf(response);
      assert.equal([response.status, told.type, told.code], [status, type, code]);
      assert.ok(Number(response.headers.get("retry-after")) >= 1);
    }
    left.abort();
    await running.rest().catch(() => {});
    assert.is(await cancelled(url), 2);
    assert.is((await post(path, SHORT)).status, 200);
    const now = await metricsOf(url);
    const codes = ["200", "429", "499", "503"].map(
      (code) => now.get(`wgformer_http_requests_total{route="/v1/completions",code="${code}"}`) ?? 0,
    );
    assert.equal(codes, [1, 1, 1, 1]);
  }));

test("a client that leaves before its answer cancels the request; a device that is lost ends it, and is replaced", async () => {
  const { gpu: openGpu } = await library();
  const gpu = await openGpu();
  await serving({ load: { gpu } }, async ({ url }) => {
    const path = `${url}/v1/completions`;
    const left = new AbortController();
    const running = async (count: number): Promise<boolean> => (await metricsOf(url)).get(RUNNING) === count;
    const answer = post(path, { ...LONG, stream: false }, { signal: left.signal });
    await until(() => running(1));
    left.abort();
    await answer.then(
      () => assert.unreachable("the client has left"),
      () => {},
    );
    await until(async () => (await cancelled(url)) === 1);
    const stream = await begin(url);
    const other = post(path, { ...LONG, stream: false });
    await until(() => running(2));
    gpu.device.destroy();
    assert.match(await stream.rest(), /"code":"device_lost"\}\}\n\n$/);
    const lost = await other;
    assert.equal([lost.status, (await errorOf(lost)).code], [503, "device_lost"]);
    assert.is((await post(path, SHORT)).status, 200);
  });
  gpu.dispose();
});

test("a request may not take longer than is said", () =>
  serving({ timeout: 0.05 }, async ({ url }) => {
    const told = await (await post(`${url}/v1/completions`, LONG)).text();
    assert.match(told, /"code":"timeout"\}\}\s*$/);
    assert.is(await cancelled(url), 1);
  }));

test("a client that does not read is cut off, and holds nobody up", async () => {
  const { createServer } = await server();
  const options = { load: { gpu: await shared() }, read_timeout: 0.2 };
  const { fetch, close } = await createServer({ brown: MODELS.brown }, options);
  const ask = (path: string, body?: object): Promise<Response> => {
    const headers = { "content-type": "application/json" };
    const sent = body && { method: "POST", headers, body: JSON.stringify(body) };
    return fetch(new Request(`http://server${path}`, sent));
  };
  const reader = ((await ask("/v1/completions", LONG)).body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  assert.is((await ask("/v1/completions", SHORT)).status, 200);
  for (const line of ['code="499"} 1\n', 'state="cancelled"} 1\n'])
    await until(async () => (await (await ask("/metrics")).text()).includes(line));
  const next = await reader.read().catch(() => "ended");
  assert.is(next, "ended");
  assert.equal(await close(0), { finished: 0, cut: 0 });
});

test("a server that stops lets what runs end, and answers nothing new", () =>
  serving({}, async ({ url, close }) => {
    const stream = await begin(url, { ...LONG, max_tokens: 60 });
    const closing = close(20_000);
    await fetch(`${url}/health`).then(
      ({ status }) => assert.is(status, 503),
      () => {}, // nobody listens any more
    );
    assert.match(await stream.rest(), /"finish_reason":"length"[^]*\n\ndata: \[DONE\]\n\n$/);
    assert.equal(await closing, { finished: 1, cut: 0 });
  }));

test("what does not end in time is cut off, and counted", () =>
  serving({}, async ({ url, close }) => {
    const stream = await begin(url);
    const closing = close(20);
    assert.match(await stream.rest(), /"code":"shutting_down"\}\}\n\n$/);
    assert.equal(await closing, { finished: 0, cut: 1 });
  }));

const CONNECTIONS = 500;

test(`${CONNECTIONS} connections too many are refused politely, and those before them go on`, () =>
  serving({ max_connections: 4 }, async ({ url }) => {
    const { connect } = await import("node:net");
    const { hostname, port } = new URL(url);
    const open = async () => {
      const socket = connect(Number(port), hostname);
      await new Promise((resolve) => socket.once("connect", resolve));
      return socket;
    };
    const held = await Promise.all(Array.from({ length: 4 }, open));
    const answers = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = await open();
        socket.write(`POST /v1/completions HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 5\r\n\r\nhello`);
        let text = "";
        for await (const piece of socket) text += piece;
        return text;
      }),
    );
    for (const text of answers) assert.match(text, /^HTTP\/1\.1 503 [^]*retry-after: 1[^]*"too_many_connections"\}\}$/);
    const [first] = held;
    first.write(`GET /metrics HTTP/1.1\r\nhost: ${hostname}\r\nconnection: close\r\n\r\n`);
    let text = "";
    for await (const piece of first) text += piece;
    assert.ok(text.includes(`wgformer_connections_refused_total ${CONNECTIONS}\n`));
    for (const socket of held) socket.destroy();
  }));

test("metrics are in the text format of Prometheus", () =>
  serving({}, async ({ url }) => {
    await (await begin(url, { ...LONG, max_tokens: 5 })).rest();
    const response = await fetch(`${url}/metrics`);
    assert.is(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    let kind = "";
    let name = "";
    const lines = text.trimEnd().split("\n");
    for (const [at, line] of lines.entries()) {
      const help = /^# HELP (\w+) \S/.exec(line);
      const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
      if (help) assert.ok(lines[at + 1].startsWith(`# TYPE ${help[1]} `));
      else if (type) [, name, kind] = type;
      else {
        const sample = /^(\w+)(\{(?:\w+="[^"\n]*",?)+\})? \d+(\.\d+)?(e[+-]\d+)?$/.exec(line);
        assert.ok(sample, line);
        const base = kind === "histogram" ? sample[1].replace(/_(bucket|sum|count)$/, "") : sample[1];
        assert.is(base, name);
      }
    }
    const buckets = lines.filter((line) => line.startsWith("wgformer_token_seconds_bucket"));
    const counts = buckets.map((line) => Number(line.split(" ").at(-1)));
    assert.equal(
      [...counts].sort((a, b) => a - b),
      counts,
    );
    assert.ok(buckets.at(-1)?.includes('le="+Inf"'));
    assert.ok(lines.includes(`wgformer_token_seconds_count{model="brown"} ${counts.at(-1)}`));
    assert.ok(lines.includes('wgformer_generated_tokens_total{model="brown"} 5'));
    assert.ok(lines.includes('wgformer_first_token_seconds_count{model="brown"} 1'));
  }));

test("servers that are closed hold nothing on the device", async () => {
  const gpu = await shared();
  await until(() => gpu.use().total === gpu.use().staging); // which is kept for later reads
  gpu.dispose();
});
