import { openCheckpoint } from "../src/model/checkpoint/checkpoint.js";
import { openSource, type SourceFile, type SourceLike } from "../src/model/checkpoint/source.js";
import { CheckpointError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";
import { rawFile } from "./support/safetensors.js";

const test = suite("source");

// Longer than the first request of a URL source.
const CONTENT = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
const MIDDLE = [CONTENT.length - 3000, CONTENT.length - 10] as const;

async function open(source: SourceLike, name = "model.bin", signal?: AbortSignal): Promise<SourceFile> {
  const file = await openSource(source).open(name, signal);
  if (!file) throw new Error(`${name} must be found`);
  return file;
}

/** Asserts size, start, middle and end of a file that holds CONTENT. */
async function holdsContent(source: SourceLike): Promise<void> {
  const file = await open(source);
  assert.is(file.size, CONTENT.length);
  for (const [start, end] of [[0, 8], MIDDLE, [CONTENT.length - 1, CONTENT.length], [5, 5]]) {
    assert.equal([...(await file.read(start, end))], [...CONTENT.slice(start, end)], `bytes ${start} to ${end}`);
  }
}

const isAbsent = async (source: SourceLike): Promise<void> =>
  assert.is(await openSource(source).open("absent.json"), undefined);

const only = (content: () => Response | Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | null) => async (name: string) =>
  name === "model.bin" ? content() : undefined;

test("a function may give a Response", () => holdsContent(only(() => new Response(CONTENT))));
test("a function may give a Blob", () => holdsContent(only(() => new Blob([CONTENT]))));
test("a function may give an ArrayBuffer", () => holdsContent(only(() => CONTENT.buffer)));
test("a function may give a Uint8Array", () => holdsContent(only(() => CONTENT)));
test("a function may give a view into a larger buffer", () =>
  holdsContent(
    only(() => {
      const larger = new Uint8Array(CONTENT.length + 9);
      larger.set(CONTENT, 4);
      return larger.subarray(4, 4 + CONTENT.length);
    }),
  ));
test("a function gives undefined for an absent file", () => isAbsent(only(() => CONTENT)));
test("a function gives null for an absent file", () => isAbsent(async () => null));
test("a function's answer 404 is an absent file", () => isAbsent(async () => new Response("", { status: 404 })));
test("a function's answer 500 is refused, naming the file", () =>
  refuses(
    () => open(async () => new Response("", { status: 500 })),
    CheckpointError,
    /^model\.bin: must be answered with the file, answered 500/,
  ));
test("a function is given the caller's signal", async () => {
  const { signal } = new AbortController();
  let given: AbortSignal | undefined;
  await open(
    async (_, itsSignal) => {
      given = itsSignal;
      return CONTENT;
    },
    "model.bin",
    signal,
  );
  assert.is(given, signal);
});

test("Files are found by name", () =>
  holdsContent([new File(["other"], "config.json"), new File([CONTENT], "model.bin")]));
test("Files are found in a folder that was picked", () => holdsContent([new File([CONTENT], "picked/model.bin")]));
test("Files are not found by the end of a name", () => isAbsent([new File(["x"], "not-absent.json")]));

test("a FileList is a list of Files", () => {
  const list = { 0: new File([CONTENT], "model.bin"), length: 1, [Symbol.toStringTag]: "FileList" };
  return holdsContent(list);
});
test("Files of folders in the folder are found by their path", async () => {
  const files = [new File(["deep"], "picked/1_Pooling/config.json"), new File(["flat"], "picked/config.json")];
  assert.is((await open(files, "config.json")).size, 4);
  const bytes = await (await open(files, "1_Pooling/config.json")).read(0, 4);
  assert.is(new TextDecoder().decode(bytes), "deep");
});
test("a function may give another view", () => holdsContent(only(() => new DataView(CONTENT.buffer) as never)));
test("a function may give content at once", () =>
  holdsContent(((name: string) => name === "model.bin" && CONTENT) as never));
for (const [name, content] of [
  ["a number", 5],
  ["an object", {}],
  ["false", false],
] as const)
  test(`a function that gives ${name} is refused, naming what it may give`, () =>
    refuses(
      () => open((() => content) as never),
      CheckpointError,
      /^model\.bin: the function must give a Response, a Blob/,
    ));

test("a connection that fails in a function is told by the file's name", () =>
  refuses(
    () => open(() => Promise.reject(new TypeError("fetch failed", { cause: { code: "ECONNRESET" } }))),
    CheckpointError,
    /^model\.bin: must be readable, fetch failed, ECONNRESET$/,
  ));
test("an answer that breaks off in a function is told by the file's name", () => {
  const body = new ReadableStream({ pull: (controller) => controller.error(new TypeError("terminated")) });
  return refuses(() => open(() => new Response(body)), CheckpointError, /^model\.bin: must be readable, terminated$/);
});
test("other errors of a function are the caller's own", () =>
  refuses(() => open(() => Promise.reject(new RangeError("mine"))), RangeError, /^mine$/));

for (const [name, file] of [
  ["no size", { read: async () => CONTENT }],
  ["a negative size", { size: -1, read: async () => CONTENT }],
  ["a fractional size", { size: 1.5, read: async () => CONTENT }],
  ["a size that is a text", { size: "5", read: async () => CONTENT }],
  ["no way to read it", { size: 5 }],
] as const)
  test(`a source of the caller's own that gives ${name} is refused`, () => {
    const own = { label: "mine", open: async () => file };
    return refuses(
      () => openCheckpoint(own as never),
      CheckpointError,
      /^mine\/config\.json: the source must give its size/,
    );
  });
for (const [name, bytes] of [
  ["too few bytes", new Uint8Array(3)],
  ["too many bytes", new Uint8Array(9)],
  ["a list", [1, 2, 3, 4, 5]],
  ["nothing", undefined],
] as const)
  test(`a source of the caller's own that reads ${name} is refused`, () => {
    const own = { label: "mine", open: async () => ({ size: 5, read: async () => bytes }) };
    return refuses(
      () => openCheckpoint(own as never),
      CheckpointError,
      /^mine\/config\.json: bytes 0 to 5 must be readable/,
    );
  });
test("a JSON file of more than 256 MiB is refused before it is read", () => {
  const own = { label: "mine", open: async () => ({ size: 2 ** 31, read: () => Promise.reject(new Error("read")) }) };
  return refuses(() => openCheckpoint(own), CheckpointError, /^mine\/config\.json: must have at most 268435456 bytes/);
});

test("a source of the caller's own is taken as it is", () => {
  const own = { label: "mine", open: async () => undefined };
  assert.is(openSource(own), own);
});

for (const [name, wrong] of [
  ["a number", 5],
  ["nothing", undefined],
  ["null", null],
  ["an object", {}],
  ["a list of names", ["config.json"]],
] as const) {
  test(`${name} is refused as a source, naming the kinds there are`, () =>
    refuses(
      () => openSource(wrong as never),
      CheckpointError,
      /^load: the source must be a model of the Hub, a folder path, a URL, a list of Files or a function, got \[object/,
    ));
}

const local = suite("source on this machine", { chrome: "a page has no folders and cannot be a server" });

/** Runs `body` with a folder that holds model.bin. */
const inFolder = async (body: (path: string) => unknown): Promise<void> => {
  const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const path = await mkdtemp(`${tmpdir()}/wgformer source `);
  try {
    await writeFile(`${path}/model.bin`, CONTENT);
    await body(path);
  } finally {
    await rm(path, { recursive: true });
  }
};

local("a folder gives its files by range", () => inFolder(holdsContent));
local("a folder may be named with a slash at its end", () => inFolder((path) => holdsContent(`${path}/`)));
local("a folder may be a file: URL with escapes", () => inFolder((path) => holdsContent(new URL(`file://${path}`))));
local("a folder may be a file: URL as text", () => inFolder((path) => holdsContent(new URL(`file://${path}/`).href)));
local("a file that a folder lacks is absent", () => inFolder(isAbsent));
local("a folder that does not exist is told", () =>
  refuses(
    () => isAbsent("/no/such/folder"),
    CheckpointError,
    /^\/no\/such\/folder: must be a folder with a checkpoint, there is none of this path$/,
  ),
);
local("a folder in place of a file is absent", () =>
  inFolder(async (path) => {
    const parts = path.split("/");
    assert.is(await openSource(parts.slice(0, -1).join("/")).open(parts[parts.length - 1]), undefined);
  }),
);
local("a file that shrank is refused, naming it and the cure", () =>
  inFolder(async (path) => {
    const file = await open(path);
    await refuses(
      () => file.read(0, CONTENT.length + 1),
      CheckpointError,
      /model\.bin: must have 70001 bytes, ended at 70000; fetch the file again$/,
    );
  }),
);

local("bytes of another realm are bytes", async () => {
  const { runInNewContext } = await import("node:vm");
  const [view, buffer] = runInNewContext("const view = new Uint8Array(70000); [view, view.buffer]") as [
    Uint8Array<ArrayBuffer>,
    ArrayBuffer,
  ];
  view.set(CONTENT);
  await holdsContent(only(() => view));
  await holdsContent(only(() => buffer));
});
local("a file that may not be read is refused, not absent", () =>
  inFolder(async (path) => {
    const name = "x".repeat(300); // too long for a file system, whoever asks
    await refuses(() => openSource(path).open(name), CheckpointError, /x: must be readable, ENAMETOOLONG|too long/i);
  }),
);
local("a tensor of more than 2 GiB is read by blocks of rows", () =>
  inFolder(async (path) => {
    const { open: openFile, writeFile } = await import("node:fs/promises");
    const shape = [8_400_000, 64];
    const bytes = 4 * shape[0] * shape[1];
    const head = rawFile({ table: { dtype: "F32", shape, data_offsets: [0, bytes] } });
    const handle = await openFile(`${path}/model.safetensors`, "w"); // sparse: it takes no room
    await handle.write(head);
    await handle.truncate(head.length + bytes);
    await handle.write(CONTENT, 0, 8, head.length + bytes - 8);
    await handle.close();
    await writeFile(`${path}/config.json`, "{}");
    const checkpoint = await openCheckpoint(path);
    const [table] = checkpoint.entries.values();
    assert.equal([...(await checkpoint.readBytes(table, bytes - 8, bytes))], [...CONTENT.slice(0, 8)]);
    const controller = new AbortController();
    const blocks: [row: number, bytes: number][] = [];
    const visit = (_: unknown, block: Uint8Array, row: number): void => {
      blocks.push([row, block.length]);
      if (blocks.length === 3) controller.abort(new Error("enough"));
    };
    await refuses(() => checkpoint.read([table], visit, controller), Error, /^enough$/);
    assert.equal(blocks, [
      [0, 2 ** 23],
      [2 ** 15, 2 ** 23],
      [2 ** 16, 2 ** 23],
    ]);
  }),
);

interface Served {
  readonly url: string;
  /** `Range` header of every request. */
  readonly ranges: (string | undefined)[];
}

/** Runs `body` with a local server of model.bin; requests for `hang` are never answered, `broken` gives 501. */
const served = async (withRanges: boolean, body: (server: Served) => unknown): Promise<void> => {
  const { createServer } = await import("node:http");
  const ranges: (string | undefined)[] = [];
  const server = createServer(({ url, headers: { range } }, response) => {
    ranges.push(range);
    const [, start, end] = range?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
    const late = url?.endsWith("/late") && start !== "0";
    if (url?.endsWith("/hang") || late) return;
    if (url?.endsWith("/broken")) return void response.writeHead(501).end();
    if (!/\/(model\.bin|late|unsized)$/.test(url ?? "")) return void response.writeHead(404).end("none");
    if (!withRanges || start === undefined) return void response.writeHead(200).end(CONTENT);
    const part = CONTENT.subarray(Number(start), Number(end) + 1);
    const total = url?.endsWith("/unsized") ? "*" : CONTENT.length;
    const last = Number(start) + part.length - 1;
    response.writeHead(206, { "content-range": `bytes ${start}-${last}/${total}` }).end(part);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server must listen on a port");
  try {
    await body({ url: `http://127.0.0.1:${address.port}/folder`, ranges });
  } finally {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
};

for (const [name, withRanges] of [
  ["with ranges", true],
  ["without ranges", false],
] as const) {
  local(`a URL ${name} gives its files by range`, () => served(withRanges, ({ url }) => holdsContent(url)));
  local(`a file that a URL ${name} lacks is absent`, () => served(withRanges, ({ url }) => isAbsent(url)));
}
local("a URL may be a URL object with a slash at its end", () =>
  served(true, ({ url }) => holdsContent(new URL(`${url}/`))),
);
local("a URL with ranges is asked for the bytes read and no others", () =>
  served(true, async ({ url, ranges }) => {
    const file = await open(url);
    await file.read(...MIDDLE);
    assert.equal(ranges, ["bytes=0-65535", `bytes=${MIDDLE[0]}-${MIDDLE[1] - 1}`]);
  }),
);
local("a URL without ranges is asked once", () =>
  served(false, async ({ url, ranges }) => {
    const file = await open(url);
    await file.read(...MIDDLE);
    assert.is(ranges.length, 1);
  }),
);
local("a URL's answer 501 is refused, naming the address", () =>
  served(true, ({ url }) =>
    refuses(
      () => open(url, "broken"),
      CheckpointError,
      /^http:.*\/folder\/broken: must be answered with the file, answered 501/,
    ),
  ),
);
local("a file whose partial answers hide its size is fetched whole", () =>
  served(true, async ({ url, ranges }) => {
    const file = await open(url, "unsized");
    assert.is(file.size, CONTENT.length);
    assert.equal([...(await file.read(...MIDDLE))], [...CONTENT.slice(...MIDDLE)]);
    assert.equal(ranges, ["bytes=0-65535", undefined]);
  }),
);
local("an abort ends the opening of a URL with the signal's reason", () =>
  served(true, async ({ url }) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 30);
    await refuses(() => open(url, "hang", controller.signal), Error, /^enough$/);
  }),
);
local("an abort ends a read of a URL with the reason of its own signal", () =>
  served(true, async ({ url }) => {
    const file = await open(url, "late");
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 30);
    const forever = new Promise((_, reject) =>
      setTimeout(() => reject(new Error("still reading after two seconds")), 2000),
    );
    await refuses(() => Promise.race([file.read(...MIDDLE, controller.signal), forever]), Error, /^enough$/);
  }),
);
