import { cacheEntries, openCheckpoint, removeFromCache } from "../src/index.js";
import { openSource } from "../src/model/checkpoint/source.js";
import type { HubOptions } from "../src/model/hub/settings.js";
import { CheckpointError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";
import { answerHub, answerStore, type HubRequest, type Repo } from "./support/hub.js";
import { weightsOf } from "./support/safetensors.js";

const test = suite("hub in a page", { node: "the Cache is a browser's", deno: "the Cache is a browser's" });

const HUB = "https://hub.test";
const STORE = "https://store.test";
const ID = "org/model";
const COMMIT = "c".repeat(40);
const PIECE = 2 ** 23;

const big = weightsOf(20 * 2 ** 20);
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const repos: Readonly<Record<string, Repo>> = {
  [ID]: {
    branches: { main: COMMIT },
    commits: {
      [COMMIT]: new Map([
        ["config.json", text('{"model_type":"gpt2"}')],
        ["model.safetensors", big],
      ]),
    },
  },
};

/** What a page's `fetch` does with such a Hub: redirects are followed, and only the last answer is seen. */
async function answer(url: string, init: RequestInit): Promise<Response> {
  const request = (address: string): HubRequest => ({
    method: init.method ?? "GET",
    path: address.slice(new URL(address).origin.length),
    headers: Object.fromEntries(new Headers(init.headers)),
  });
  const first = await answerHub(repos, STORE, request(url));
  const last = first.status === 302 ? answerStore(repos, request(first.headers.location)) : first;
  const response = new Response(last.body, { status: last.status, headers: last.headers });
  if (first.status === 302)
    Object.defineProperties(response, { url: { value: first.headers.location }, redirected: { value: true } });
  return response;
}

/** Ranges that begin so are never answered. */
let unanswered: string | undefined;

/** Runs `body` in a page that reaches such a Hub, with an empty cache. `log` takes the requests. */
async function inPage(body: (log: string[], options: HubOptions) => Promise<unknown>): Promise<void> {
  const log: string[] = [];
  const own = globalThis.fetch;
  globalThis.fetch = async (input, init = {}) => {
    const range = new Headers(init.headers).get("range") ?? "whole";
    log.push(`${String(input).slice(HUB.length)} ${range}`);
    init.signal?.throwIfAborted();
    if (unanswered && range.startsWith(unanswered))
      await new Promise((_, reject) =>
        init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error), { once: true }),
      );
    return answer(String(input), init);
  };
  try {
    await body(log, { endpoint: HUB });
  } finally {
    globalThis.fetch = own;
    for (const { id } of await cacheEntries()) await removeFromCache(id);
  }
}

async function fetchWeights(options: HubOptions, signal?: AbortSignal) {
  const file = await openSource(ID, options).open("model.safetensors");
  if (!file) throw new Error("there must be model.safetensors");
  await file.fetch?.(signal);
  return file;
}

/** Asserts that a file has the bytes of the weights, read across the borders of its pieces. */
async function isBig(file: Awaited<ReturnType<typeof fetchWeights>>): Promise<void> {
  assert.is(file.size, big.length);
  for (const [start, end] of [
    [0, 9],
    [PIECE - 5, PIECE + 5],
    [PIECE - 1, 2 * PIECE + 1],
    [big.length - 3, big.length],
  ])
    assert.equal(await file.read(start, end), big.slice(start, end), `bytes ${start} to ${end}`);
}

test("a model is kept by the page, and its second time costs one request", () =>
  inPage(async (log, options) => {
    await isBig(await fetchWeights(options));
    log.length = 0;
    await isBig(await fetchWeights(options));
    assert.equal(log, [`/${ID}/resolve/main/config.json whole`]);
    log.length = 0;
    const offline = { ...options, local_files_only: true };
    await isBig(await fetchWeights(offline));
    const { config, entries } = await openCheckpoint(ID, offline);
    assert.equal([config.model_type, [...entries.keys()]], ["gpt2", ["w"]]);
    assert.equal(log, []);
  }));

test("what a repository does not have is remembered", () =>
  inPage(async (log, options) => {
    for (const requests of [3, 1]) {
      log.length = 0;
      const source = openSource(ID, options);
      assert.is(await source.open("tokenizer.json"), undefined);
      assert.is(await source.open("generation_config.json"), undefined);
      assert.is(log.length, requests, log.join("\n"));
    }
  }));

test("a download that was stopped goes on with the next piece", () =>
  inPage(async (log, options) => {
    const controller = new AbortController();
    unanswered = `bytes=${2 * PIECE}-`;
    const stopped = refuses(() => fetchWeights(options, controller.signal), Error, /^enough$/);
    while (((await cacheEntries())[0]?.bytes ?? 0) < PIECE) await new Promise((later) => setTimeout(later, 20));
    controller.abort(new Error("enough"));
    await stopped;
    unanswered = undefined;
    const [{ revisions, bytes }] = await cacheEntries();
    assert.ok(bytes >= PIECE && bytes < big.length && bytes % PIECE < 100, `${bytes} bytes are kept`);
    assert.equal(revisions[0].files, ["config.json", "model.safetensors"].slice(revisions[0].files.length - 2));
    log.length = 0;
    await isBig(await fetchWeights(options));
    assert.not.ok(
      log.some((line) => line.endsWith(`bytes=0-${PIECE - 1}`)),
      log.join("\n"),
    );
  }));

test("loads at the same time download once", () =>
  inPage(async (log, options) => {
    for (const file of await Promise.all([1, 2].map(() => fetchWeights(options)))) await isBig(file);
    assert.is(log.filter((line) => line.endsWith(`bytes=0-${PIECE - 1}`)).length, 1, log.join("\n"));
  }));

test("entries of the cache have their sizes and refs, and can be removed", () =>
  inPage(async (_, options) => {
    await fetchWeights(options);
    const [{ id, bytes, revisions, lastUsed }] = await cacheEntries();
    const size = big.length + text('{"model_type":"gpt2"}').length;
    assert.equal([id, bytes, revisions[0].commit, revisions[0].refs], [ID, size, COMMIT, ["main"]]);
    assert.ok(lastUsed && Math.abs(Date.now() - lastUsed.getTime()) < 60e3);
    assert.is(await removeFromCache(`${ID}@main`), size);
    assert.equal(await cacheEntries(), []);
    await refuses(
      () => fetchWeights({ ...options, local_files_only: true }),
      CheckpointError,
      /^org\/model: must be a folder that is there or in the cache of \S+, is not, and local_files_only/,
    );
  }));

test("nothing is kept with cache_dir: false", () =>
  inPage(async (_, options) => {
    await isBig(await fetchWeights({ ...options, cache_dir: false }));
    assert.equal(await cacheEntries(), []);
  }));

test("names are the Hub's, what begins with a dot or a slash is the page's", async () => {
  for (const place of ["./models/bert-pos", "/models/bert-pos", new URL("models/bert-pos", location.href)])
    assert.is((await openCheckpoint(place)).config.model_type, "bert");
});
