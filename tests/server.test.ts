import { load } from "../src/index.js";
import { openCheckpoint } from "../src/model/checkpoint/checkpoint.js";
import { openSource, type SourceFile, type SourceLike } from "../src/model/checkpoint/source.js";
import { CheckpointError, WgformerError } from "../src/runtime/errors.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, device, readFile, refuses, suite } from "./support/harness.js";
import { type Behaviour, sendRange, sendStatus, serveFiles } from "./support/server.js";

const test = suite("servers", { chrome: "a page cannot be a server" });

const FOLDER = "tests/fixtures/distilbert"; // its weights are longer than the first request
const NAMES = ["config.json", "model.safetensors"];
const files = new Map(
  await Promise.all(NAMES.map(async (name) => [name, await readFile(`${FOLDER}/${name}`)] as const)),
);
const weights = files.get("model.safetensors") as Uint8Array;
const golden = await readGolden(FOLDER);
const [forward] = golden.cases;

const PAGE = "<!DOCTYPE html>\n<html><body>an application</body></html>";

/** Asserts that the checkpoint at a URL gives the reference results. */
async function works(source: SourceLike): Promise<void> {
  const model = await load(source, { gpu: await device() });
  try {
    const { last_hidden_state: got } = await model.forward(forward.inputs);
    const want = golden.tensor(forward.expected.last_hidden_state);
    const error = worstError(got as never, want, forward.inputs.attention_mask);
    assert.ok(error < 2e-4, `last_hidden_state is ${error} off`);
  } finally {
    model.dispose();
  }
}

const loads = (title: string, behaviour: Behaviour, check?: (log: readonly string[]) => void): void =>
  test(title, () =>
    serveFiles(files, behaviour, async (url, log) => {
      await works(url);
      check?.(log);
    }),
  );

for (const status of [204, 400, 401, 403, 404, 405, 410, 451])
  loads(`absent files may be answered with ${status}`, (_, response, file) => !file && sendStatus(response, status));
for (const page of [PAGE, "<body>an application</body>", '<?xml version="1.0"?><html/>', "\ufeff <meta charset=utf-8>"])
  loads(`absent files may be answered with ${page}`, (_, response, file) =>
    file ? false : sendStatus(response, 200, page, { "content-type": "text/html" }),
  );
loads("absent files may be answered with a page, and all files without ranges", (_, response, file) =>
  sendStatus(response, 200, ...(file ? [file as never] : [PAGE])),
);
test("the query goes to every file", () =>
  serveFiles(
    files,
    ({ query }, response) => query !== "token=a%20b&x=1" && sendStatus(response, 403),
    (url) => works(`${url}/?token=a%20b&x=1#part`),
  ));

for (const status of [429, 500, 503, 524]) {
  loads(
    `one answer ${status} is asked again`,
    ({ count }, response) => count === 1 && sendStatus(response, status, "", { "retry-after": "0" }),
  );
}
loads(
  "a busy server is asked again after a pause of our own",
  ({ name, count }, response) => name === "config.json" && count < 3 && sendStatus(response, 503),
);
loads(
  "Retry-After may be a date",
  ({ count }, response) =>
    count === 1 && sendStatus(response, 429, "", { "retry-after": new Date(Date.now() + 500).toUTCString() }),
);
loads("cut connections go on where they were cut", ({ name, range, count }, response, file) => {
  if (name !== "model.safetensors" || !file || !range || count % 3 === 0) return false;
  const [start, end] = [range[0], Math.min(range[1], file.length)];
  response.writeHead(206, {
    "content-range": `bytes ${start}-${end - 1}/${file.length}`,
    "content-length": end - start,
  });
  response.write(file.subarray(start, Math.min(end, start + 20_000)), () => response.destroy());
  return true;
});
loads("a cut download without ranges begins again", ({ name, count }, response, file) => {
  if (name !== "model.safetensors" || !file) return false;
  response.writeHead(200, { "content-length": file.length });
  if (count > 1) response.end(file);
  else response.write(file.subarray(0, 90_000), () => response.destroy());
  return true;
});
loads("a connection that is reset is opened again", ({ count, request }) => {
  if (count > 1) return false;
  request.socket.resetAndDestroy();
  return true;
});
loads(
  "ranges may be capped at 16 kB",
  ({ range }, response, file) =>
    Boolean(file && range) &&
    sendRange(response, file as Uint8Array, [range?.[0] ?? 0, Math.min(range?.[1] ?? 0, (range?.[0] ?? 0) + 16384)]),
  (log) => assert.ok(log.length > weights.length / 16384),
);
loads("other origins may hide the range", ({ range }, response, file) => {
  if (!file || !range) return false;
  response.writeHead(206).end(file.subarray(...range));
  return true;
});
for (const encoding of ["gzip", "br"])
  loads(`partial answers in ${encoding} are not used`, ({ range }, response, file) => {
    if (!file || !range) return false;
    sendRange(response, file, range, { "content-encoding": encoding });
    return true;
  });
loads("ranges that always begin at 0 are used as far as they reach", ({ range }, response, file) =>
  file && range ? sendRange(response, file, [0, range[1]]) : false,
);
loads("partial answers to the first request that begin elsewhere are not used", ({ range }, response, file) =>
  file && range ? sendRange(response, file, [8, range[1]]) : false,
);
loads("a range may be answered with the whole file", ({ count }, response, file) =>
  file && count > 1 ? sendStatus(response, 200, file as never) : false,
);
loads("files may be moved by redirects", ({ name, query }, response) =>
  query ? false : sendStatus(response, 302, "", { location: `/folder/${name}?moved` }),
);
test("a function may give the URLs of files", () =>
  serveFiles(
    files,
    () => false,
    (url) => works((name) => (files.has(name) ? `${url}/${name}` : undefined)),
  ));
test("a function may give a blob: URL", async () => {
  const urls = new Map(Array.from(files, ([name, bytes]) => [name, URL.createObjectURL(new Blob([bytes as never]))]));
  await works((name) => urls.get(name));
  urls.forEach((url) => URL.revokeObjectURL(url));
});

const refusesUrl = (title: string, behaviour: Behaviour, message: RegExp): void =>
  test(title, () =>
    serveFiles(files, behaviour, (url) => refuses(() => openCheckpoint(url), CheckpointError, message)),
  );

for (const status of [401, 403, 400, 501])
  refusesUrl(
    `a config that is answered with ${status} is refused with URL and status`,
    (_, response) => sendStatus(response, status),
    new RegExp(`^http://127.*/folder/config\\.json: must be answered with the file, answered ${status}`),
  );
refusesUrl(
  "weights that are denied are refused with URL and status",
  ({ name }, response) => name !== "config.json" && sendStatus(response, 403),
  /^http:.*\/folder\/model\.safetensors: must be answered with the file, answered 403/,
);
refusesUrl(
  "a page in place of the config is refused with URL and status",
  (_, response) => sendStatus(response, 200, PAGE),
  /^http:.*\/folder\/config\.json: must be answered with the file, answered 200 with a page of HTML/,
);
refusesUrl(
  "a server that stays busy is refused with URL and status",
  (_, response) => sendStatus(response, 503, "", { "retry-after": "0" }),
  /^http:.*\/folder\/config\.json: must be readable, answered 503 Service Unavailable 5 times; /,
);
refusesUrl(
  "a server that asks for an hour is refused at once",
  (_, response) => sendStatus(response, 429, "", { "retry-after": "3600" }),
  /config\.json: must be readable, answered 429 Too Many Requests and asks for 3600 seconds/,
);
refusesUrl(
  "redirects in a circle are refused with the URL",
  (_, response) => sendStatus(response, 302, "", { location: "/folder/config.json" }),
  /^http:.*\/folder\/config\.json: must be readable, /,
);
refusesUrl(
  "gzip that is none is refused with the URL",
  (_, response) => sendStatus(response, 200, "plain", { "content-encoding": "gzip" }),
  /^http:.*\/folder\/config\.json: must be readable, /,
);

test("a file that no JSON file is as long as is refused while it comes", async () => {
  const { gzipSync } = await import("node:zlib");
  const bomb = gzipSync(new Uint8Array(2 ** 28 + 1), { level: 1 });
  await serveFiles(
    files,
    ({ name }, response) => {
      if (name !== "config.json") return false;
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
      return true;
    },
    (url) =>
      refuses(() => openCheckpoint(url), CheckpointError, /config\.json: must have at most 268435456 bytes, got more/),
  );
});

for (const [title, later] of [
  ["of another version", (tag: string) => ({ etag: tag })],
  ["of another time", (tag: string) => ({ "last-modified": tag })],
] as const)
  test(`a file that is replaced by one ${title} is refused`, () =>
    serveFiles(
      files,
      ({ name, range, count }, response, file) =>
        name === "model.safetensors" && file && range
          ? sendRange(response, file, range, later(`"${count > 1}"`))
          : false,
      (url) => refuses(() => works(url), CheckpointError, /model\.safetensors: must stay the same while it is read/),
    ));
test("a file that is replaced by a longer one is refused", () =>
  serveFiles(
    files,
    ({ name, range, count }, response, file) =>
      name === "model.safetensors" && file && range && count > 1
        ? sendRange(response, new Uint8Array([...file, 1]), range)
        : false,
    (url) => refuses(() => works(url), CheckpointError, /model\.safetensors: must stay the same while it is read/),
  ));
test("an answer with later bytes than those asked for is refused", () =>
  serveFiles(
    files,
    ({ range, count }, response, file) =>
      file && range && count > 1 ? sendRange(response, file, [range[0] + 4, range[1]]) : false,
    (url) =>
      refuses(() => works(url), CheckpointError, /must answer with bytes from \d+ on, answered 206 with bytes \d+-\d+/),
  ));

test("what a caller's progress throws ends a load as it is, and is no fault of the server", () =>
  serveFiles(
    files,
    () => false,
    async (url) => {
      const progress = ({ status }: { readonly status: string }): void => {
        if (status === "progress") throw new Error("the caller's own");
      };
      await refuses(() => load(url, { progress }), Error, /^the caller's own$/);
    },
  ));

test("an abort ends the pause between tries", () =>
  serveFiles(
    files,
    (_, response) => sendStatus(response, 503, "", { "retry-after": "30" }),
    async (url) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("enough")), 50);
      const start = performance.now();
      await refuses(() => load(url, { signal: controller.signal }), Error, /^enough$/);
      assert.ok(performance.now() - start < 10_000, "must not wait for the server");
    },
  ));

for (const [title, source, message] of [
  ["no server", "http://127.0.0.1:1/folder", /^http:\/\/127\.0\.0\.1:1\/folder\/config\.json: must be readable, /],
  ["a password in the URL", "http://me:secret@127.0.0.1:1/x", /a URL must not hold a password, got one for 127/],
  ["no host", "http://", /must be a path or a URL, got "http:\/\/"/],
  ["a blob: URL", "blob:nodedata:5", /must be the URL of a folder, got that of one file; give a function/],
  ["a scheme that is not fetched", "ftp://host/models/x", /must begin with http:, https: or file:, got "ftp:\/\/host/],
  ["a file: URL with a broken escape", "file:///%E0%A4%A", /must be a file: URL with a readable path/],
] as const)
  test(`${title} is refused with a typed error`, async () => {
    let error: unknown;
    await Promise.resolve(source)
      .then((text) => openCheckpoint(text))
      .catch((caught) => (error = caught));
    assert.ok(error instanceof WgformerError, String(error));
    assert.match(error.message, message);
    assert.not.match(error.message, /secret/);
  });

test("a page takes paths as its own", async () => {
  const scope = globalThis as { process?: unknown; Deno?: unknown; location?: unknown };
  const kept = { process: scope.process, Deno: scope.Deno };
  await serveFiles(
    files,
    () => false,
    async (url) => {
      const { origin } = new URL(url);
      const opened: (SourceFile | undefined)[] = [];
      const pages = [
        { href: `${origin}/app/index.html`, origin },
        { href: `blob:${origin}/123`, origin },
      ];
      for (const location of pages) {
        Object.defineProperty(scope, "location", { value: location, configurable: true });
        for (const name of ["process", "Deno"] as const)
          Object.defineProperty(scope, name, { value: undefined, configurable: true, writable: true });
        try {
          const { label, open } = openSource("/folder");
          assert.is(label, `${origin}/folder`);
          opened.push(await open("config.json"));
        } finally {
          Object.defineProperty(scope, "process", { value: kept.process, configurable: true, writable: true });
          if (kept.Deno) Object.defineProperty(scope, "Deno", { value: kept.Deno, configurable: true, writable: true });
          delete scope.location;
        }
      }
      assert.equal(
        opened.map((file) => file?.size),
        pages.map(() => files.get("config.json")?.length),
      );
    },
  );
});
