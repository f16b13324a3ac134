import type { ServerResponse } from "node:http";
import { load } from "../src/index.js";
import { openCheckpoint } from "../src/model/checkpoint/checkpoint.js";
import type { ProgressEvent } from "../src/model/checkpoint/progress.js";
import { openSource, type SourceFile } from "../src/model/checkpoint/source.js";
import type { HubOptions } from "../src/model/hub/settings.js";
import { CheckpointError, OptionError, WgformerError } from "../src/runtime/errors.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, device, readFile, refuses, suite } from "./support/harness.js";
import { etagOf, type HubRequest, type Repo, type RunningHub, serveHub } from "./support/hub.js";

const test = suite("hub", { chrome: "a page cannot be a server" });

const FOLDER = "tests/fixtures/distilbert";
const ID = "org/distilbert";
const [FIRST, SECOND] = ["a".repeat(40), "b".repeat(40)];
const MEGABYTES = 2 ** 20;

type Contents = Map<string, Uint8Array<ArrayBuffer>>;
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const read = async (...names: string[]): Promise<Contents> =>
  new Map(await Promise.all(names.map(async (name) => [name, await readFile(`${FOLDER}/${name}`)] as const)));
const files = await read("config.json", "model.safetensors");
const golden = await readGolden(FOLDER);

/** A file of weights of some pieces, with a header of safetensors and one tensor. */
function weightsOf(bytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const header = text(JSON.stringify({ w: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } }).padEnd(120));
  const file = new Uint8Array(8 + header.length + bytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  for (let i = 8 + header.length, x = seed; i < file.length; i++) file[i] = x = (x * 75 + 74) % 65537;
  return file;
}

const repoOf = (contents: Contents, more: Partial<Repo> = {}): Repo => ({
  branches: { main: FIRST },
  commits: { [FIRST]: contents },
  ...more,
});

interface Place {
  readonly hub: RunningHub;
  readonly folder: string;
  readonly options: HubOptions;
}

/** Runs `body` with a Hub that has these repositories, and an empty cache. */
async function withHub(repos: Record<string, Repo>, body: (place: Place) => unknown): Promise<void> {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(`${tmpdir()}/wgformer-hub-`);
  try {
    await serveHub(repos, (hub) =>
      body({ hub, folder, options: { endpoint: hub.url, cache_dir: folder, token: false } }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const one = (contents: Contents, body: (place: Place) => unknown): Promise<void> =>
  withHub({ [ID]: repoOf(contents) }, body);

/** All paths below a folder; links with what they point to. */
async function tree(folder: string): Promise<string[]> {
  const { readdir, readlink } = await import("node:fs/promises");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const lines = entries
    .filter((entry) => !entry.isDirectory())
    .map(async (entry) => {
      const path = `${entry.parentPath}/${entry.name}`;
      return path.slice(folder.length + 1) + (entry.isSymbolicLink() ? ` -> ${await readlink(path)}` : "");
    });
  return (await Promise.all(lines)).sort();
}

async function openWeights(id: string, options: HubOptions): Promise<SourceFile> {
  const file = await openSource(id, options).open("model.safetensors");
  if (!file) throw new Error("there must be model.safetensors");
  return file;
}

async function fetchWeights(options: HubOptions, signal?: AbortSignal, arrived?: (bytes: number) => void) {
  const file = await openWeights(ID, options);
  await file.fetch?.(signal, arrived);
  return file.read(0, file.size);
}

test("a model is loaded by its name, and its second time costs one request", () =>
  one(files, async ({ hub, options }) => {
    const [forward] = golden.cases;
    for (const round of [1, 2]) {
      hub.log.length = 0;
      const model = await load(ID, { gpu: await device(), ...options });
      const { last_hidden_state: got } = await model.forward(forward.inputs);
      const want = golden.tensor(forward.expected.last_hidden_state);
      assert.ok(worstError(got as never, want, forward.inputs.attention_mask) < 2e-4);
      assert.is(model.checkpoint.label, ID);
      assert.is(await model.tokenizer, undefined);
      model.dispose();
      if (round === 2) assert.equal(hub.log, [`GET /${ID}/resolve/main/config.json`]);
    }
  }));

test("the cache has the layout of Python's", () =>
  one(new Map([...files, ["1_Pooling/config.json", text("{}")]]), async ({ folder, options }) => {
    const checkpoint = await openCheckpoint(ID, options);
    await checkpoint.fetch();
    await checkpoint.json("1_Pooling/config.json");
    const etags = await Promise.all([...files].map(([name, file]) => etagOf(name, file)));
    const pooling = await etagOf("1_Pooling/config.json", text("{}"));
    const root = "models--org--distilbert";
    const absent = ["generation_config.json", "tokenizer.json", "tokenizer_config.json"];
    assert.equal(
      await tree(folder),
      [
        ...absent.map((name) => `${root}/.no_exist/${FIRST}/${name}`),
        ...[...etags, pooling].map((etag) => `${root}/blobs/${etag}`),
        `${root}/refs/main`,
        `${root}/snapshots/${FIRST}/config.json -> ../../blobs/${etags[0]}`,
        `${root}/snapshots/${FIRST}/model.safetensors -> ../../blobs/${etags[1]}`,
        `${root}/snapshots/${FIRST}/1_Pooling/config.json -> ../../../blobs/${pooling}`,
      ].sort(),
    );
    assert.is(new TextDecoder().decode(await readFile(`${folder}/${root}/refs/main`)), FIRST);
  }));
