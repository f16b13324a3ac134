import { cacheEntries, load, removeFromCache } from "../src/index.js";
import { openCheckpoint } from "../src/model/checkpoint/checkpoint.js";
import type { ProgressEvent } from "../src/model/checkpoint/progress.js";
import { openSource, type SourceFile } from "../src/model/checkpoint/source.js";
import type { HubOptions } from "../src/model/hub/settings.js";
import { CheckpointError, InputError, OptionError } from "../src/runtime/errors.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, device, readFile, refuses, suite } from "./support/harness.js";
import { etagOf, type HubRequest, type Repo, type RunningHub, serveHub } from "./support/hub.js";
import { rawFile, weightsOf } from "./support/safetensors.js";

const test = suite("hub", { chrome: "a page cannot be a server" });

const FOLDER = "tests/fixtures/distilbert";
const ID = "org/distilbert";
const [FIRST, SECOND] = ["a".repeat(40), "b".repeat(40)];
const BIG = 20 * 2 ** 20; // bytes: three pieces

type Contents = Map<string, Uint8Array<ArrayBuffer>>;
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const read = async (...names: string[]): Promise<Contents> =>
  new Map(await Promise.all(names.map(async (name) => [name, await readFile(`${FOLDER}/${name}`)] as const)));
const files = await read("config.json", "model.safetensors");
const weights = files.get("model.safetensors") as Uint8Array<ArrayBuffer>;
const golden = await readGolden(FOLDER);

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
    const absent = ["generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
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

test("where no links can be made, files take their places", async () => {
  const { env } = await import("node:process");
  env.HF_HUB_DISABLE_SYMLINKS = "1";
  try {
    await one(files, async ({ hub, folder, options }) => {
      assert.equal(await fetchWeights(options), weights);
      const paths = await tree(folder);
      assert.ok(paths.includes(`models--org--distilbert/snapshots/${FIRST}/model.safetensors`), paths.join("\n"));
      hub.log.length = 0;
      assert.equal(await fetchWeights(options), weights);
      assert.equal(hub.log, [`GET /${ID}/resolve/main/config.json`]);
      const [{ bytes }] = await cacheEntries({ cache_dir: folder });
      assert.is(bytes, weights.length + (files.get("config.json")?.length ?? 0) + FIRST.length);
    });
  } finally {
    delete env.HF_HUB_DISABLE_SYMLINKS;
  }
});

test("a new commit brings what changed, and the old one stays", async () => {
  const changed = new Map([...files, ["config.json", text('{ "model_type": "distilbert" }')]]);
  const repo: Repo = { branches: { main: FIRST }, commits: { [FIRST]: files, [SECOND]: changed } };
  await withHub({ [ID]: repo }, async ({ hub, folder, options }) => {
    await fetchWeights(options);
    repo.branches.main = SECOND;
    hub.log.length = 0;
    assert.equal(await fetchWeights(options), weights);
    assert.equal(
      hub.log.filter((line) => line.includes("store")),
      ["GET store 0-65535"], // the header; the same weights are there already
    );
    const { config } = await openCheckpoint(`${ID}@${SECOND}`, { ...options, local_files_only: true });
    assert.is(config.dim, undefined);
    const old = await openCheckpoint(ID, { ...options, revision: FIRST, local_files_only: true });
    assert.ok(old.config.dim);
    const [{ revisions, bytes }] = await cacheEntries({ cache_dir: folder });
    assert.equal(
      revisions.map(({ commit, refs, files: names }) => [commit, refs, names]),
      [
        [FIRST, [], ["config.json", "model.safetensors"]],
        [SECOND, ["main"], ["config.json", "model.safetensors"]],
      ],
    );
    assert.is(await removeFromCache(`${ID}@${FIRST}`, { cache_dir: folder }), files.get("config.json")?.length);
    assert.equal(await fetchWeights({ ...options, local_files_only: true }), weights);
    assert.is(await removeFromCache(ID, { cache_dir: folder }), bytes - (files.get("config.json")?.length ?? 0));
    assert.equal(await tree(folder), []);
  });
});

test("a commit that is in the cache costs no request", () =>
  one(files, async ({ hub, options }) => {
    for (const requests of [1, 0]) {
      hub.log.length = 0;
      const checkpoint = await openCheckpoint(`${ID}@${FIRST}`, options);
      await checkpoint.fetch();
      assert.is(hub.log.length > 0, requests > 0, hub.log.join());
    }
  }));

test("branches and tags may have slashes", async () => {
  await withHub({ [ID]: repoOf(files, { branches: { "refs/pr/1": FIRST } }) }, async ({ folder, options }) => {
    await (await openCheckpoint(`hf://${ID}@refs/pr/1`, options)).fetch();
    assert.ok((await tree(folder)).includes("models--org--distilbert/refs/refs/pr/1"));
    await openCheckpoint(ID, { ...options, revision: "refs/pr/1", local_files_only: true });
  });
});

test("a page's address names the model, its revision and a folder of it", async () => {
  const inner = new Map([...files].map(([name, file]) => [`inner/${name}`, file] as const));
  await withHub({ [ID]: repoOf(inner), gpt2: repoOf(files) }, async ({ hub, options }) => {
    await openCheckpoint(`${hub.url}/${ID}/tree/main/inner`, options);
    await openCheckpoint(`${hub.url}/${ID}/blob/${FIRST}/inner/config.json`, options);
    await openCheckpoint(new URL(`${hub.url}/gpt2`), options);
    await (await openCheckpoint("https://huggingface.co/gpt2/resolve/main/", options)).fetch();
    await openCheckpoint("gpt2", { ...options, local_files_only: true });
  });
});

test("a folder of a model is of the same revision", async () => {
  const inner = new Map([...files, ...[...files].map(([name, file]) => [`inner/${name}`, file] as const)]);
  const repo: Repo = { branches: { main: SECOND }, commits: { [FIRST]: inner, [SECOND]: files } };
  await withHub({ [ID]: repo }, async ({ options }) => {
    const folder = await (await openCheckpoint(ID, { ...options, revision: FIRST })).folder("inner");
    await folder.fetch();
    assert.is(folder.label, `${ID}/inner`);
    const main = await openCheckpoint(ID, options);
    await refuses(() => main.folder("inner"), CheckpointError, /found no config\.json$/);
  });
});

test("a folder that is there has precedence", async () => {
  await one(files, async ({ hub, options }) => {
    await openCheckpoint("models/bert-pos", options);
    assert.equal(hub.log, []);
    await refuses(
      () => openCheckpoint("models/bert-pos", { ...options, revision: "v1" }),
      OptionError,
      /^load: revision/,
    );
  });
});

test("variables say where the Hub and the cache are", async () => {
  const { env } = await import("node:process");
  const repos = { [ID]: repoOf(files, { token: "hf_secret" }) };
  await withHub(repos, async ({ hub, folder }) => {
    const cases: readonly (readonly [variables: Record<string, string>, place: string])[] = [
      [{ HF_HUB_CACHE: `${folder}/1`, HF_TOKEN: "hf_secret\n" }, "1"],
      [{ HF_HOME: `${folder}/2`, HUGGING_FACE_HUB_TOKEN: "hf_secret" }, "2/hub"],
      [{ HF_HOME: "", XDG_CACHE_HOME: `${folder}/3`, HF_TOKEN: "hf_secret" }, "3/huggingface/hub"],
      [{ HF_HOME: "~/home", HOME: `${folder}/4`, HF_TOKEN_PATH: `${folder}/token` }, "4/home/hub"],
    ];
    const { writeFile } = await import("node:fs/promises");
    await writeFile(`${folder}/token`, "hf_secret\n");
    for (const [variables, place] of cases) {
      const all: Record<string, string> = {
        HF_HUB_CACHE: "",
        HF_HUB_OFFLINE: "",
        HF_ENDPOINT: `${hub.url}/`,
        ...variables,
      };
      const before = Object.keys(all).map((name) => [name, env[name]] as const);
      try {
        Object.assign(env, all);
        await (await openCheckpoint(ID)).fetch();
        assert.ok((await tree(`${folder}/${place}`)).includes("models--org--distilbert/refs/main"), place);
        assert.equal(
          (await cacheEntries()).map(({ id }) => id),
          [ID],
        );
        env.HF_HUB_OFFLINE = "1";
        hub.log.length = 0;
        await openCheckpoint(ID);
        assert.equal(hub.log, []);
      } finally {
        for (const [name, value] of before) {
          if (value === undefined) delete env[name];
          else env[name] = value;
        }
      }
    }
  });
});

const SECRET = "hf_secret";

test("the token goes to the Hub alone", async () => {
  await withHub({ [ID]: repoOf(files, { token: SECRET, gated: true }) }, async ({ hub, options }) => {
    assert.equal(await fetchWeights({ ...options, token: SECRET }), weights);
    assert.equal(hub.leaks, []);
    assert.ok(hub.log.some((line) => line.includes("store")));
  });
});

test("a model that was renamed is found by its old name", async () => {
  await withHub({ [ID]: repoOf(files, { token: SECRET }) }, async ({ hub, folder, options }) => {
    hub.behaviour = ({ path }, _, response) => {
      if (!path.startsWith("/old/name/")) return false;
      response.writeHead(307, { location: path.replace("old/name", ID) }).end();
      return true;
    };
    const checkpoint = await openCheckpoint("old/name", { ...options, token: SECRET });
    await checkpoint.fetch();
    assert.equal(hub.leaks, []);
    assert.equal(
      (await cacheEntries({ cache_dir: folder })).map(({ id, revisions }) => [id, revisions[0].files]),
      [["old/name", ["config.json", "model.safetensors"]]],
    );
  });
});

test("a refusal of the host of large files is told as such", () =>
  one(files, async ({ hub, options }) => {
    hub.behaviour = ({ path }, _, response) =>
      path.endsWith("signature=1") && Boolean(response.writeHead(401, "Unauthorized").end());
    await refuses(
      () => openCheckpoint(ID, options),
      CheckpointError,
      /model\.safetensors: must be answered with the file, answered 401 Unauthorized$/,
    );
  }));

const REFUSALS: readonly (readonly [title: string, repo: Repo, options: HubOptions, message: RegExp])[] = [
  [
    "a gated model",
    repoOf(files, { token: SECRET, gated: true }),
    {},
    /^org\/distilbert: must be readable, its licence has to be accepted first; accept it at http\S+\/org\/distilbert, then set the option token or the variable HF_TOKEN$/,
  ],
  [
    "a gated model that the token may not read",
    repoOf(files, { token: SECRET, gated: true }),
    { token: "hf_other" },
    /accept it at http\S+\/org\/distilbert, then give a token of that account$/,
  ],
  [
    "a private model, which looks absent",
    repoOf(files, { token: SECRET }),
    {},
    /^org\/distilbert: must be a folder that is there or a model at http\S+, found none; check the name, or set the option token or the variable HF_TOKEN if it is private$/,
  ],
  [
    "a private model that the token may not read",
    repoOf(files, { token: SECRET }),
    { token: "hf_other" },
    /found none that this token may read; check the name and the token$/,
  ],
  [
    "a revision that is not there",
    repoOf(files),
    { revision: "v9" },
    /^org\/distilbert: revision must be a branch, a tag or a commit of it, got v9; http\S+\/org\/distilbert\/tree\/main lists them$/,
  ],
];
for (const [title, repo, more, message] of REFUSALS)
  test(`refuses ${title}`, () =>
    withHub({ [ID]: repo }, ({ options }) =>
      refuses(() => openCheckpoint(ID, { ...options, ...more }), CheckpointError, message),
    ));

test("refuses options that cannot be, and shows no token", () =>
  one(files, async ({ options }) => {
    const open = (id: string, more: HubOptions) => () => openCheckpoint(id, { ...options, ...more });
    await refuses(open(ID, { token: "hf_a b\nc" }), OptionError, /^load: token \(HF_TOKEN\) must consist of [^_]*$/);
    await refuses(
      open(ID, { revision: "../x" }),
      OptionError,
      /^load: revision must be a branch, a tag or a commit, got/,
    );
    await refuses(open(`${ID}@a`, { revision: "b" }), OptionError, /^load: revision must be absent or "a"/);
    await refuses(open(ID, { endpoint: "ftp://x" }), OptionError, /^load: endpoint \(HF_ENDPOINT\) must be an address/);
    await refuses(open("hf://a/b/c", {}), OptionError, /^load: hf:\/\/ must be followed by org\/name/);
    await refuses(
      open("https://huggingface.co/datasets/a/b", {}),
      OptionError,
      /^load: the URL must be that of a model/,
    );
  }));

test("a server that is no Hub is refused", () =>
  one(files, async ({ hub, options }) => {
    hub.behaviour = (_, { headers }) => {
      delete headers["x-repo-commit"];
      return false;
    };
    await refuses(() => openCheckpoint(ID, options), CheckpointError, /must be a Hub, which states X-Repo-Commit/);
  }));

test("without the network the cache serves, and what it lacks is named", () =>
  one(files, async ({ hub, folder, options }) => {
    await openCheckpoint(ID, options); // the weights are not fetched
    hub.behaviour = (_, __, response) => Boolean(response.socket?.destroy());
    const lacks = /^org\/distilbert: model\.safetensors must be in the cache \S+, is not, and /;
    await refuses(() => openCheckpoint(ID, { ...options, local_files_only: true }), CheckpointError, lacks);
    await refuses(() => openCheckpoint(ID, options), CheckpointError, lacks);
    await refuses(
      () => openCheckpoint("org/other", options),
      CheckpointError,
      /^org\/other: must be a folder that is there or in the cache \S+, is not, and the Hub did not answer: http\S+: must be readable, fetch failed/,
    );
    await refuses(
      () => openCheckpoint(ID, { ...options, revision: "v2", local_files_only: true }),
      CheckpointError,
      /in the cache \S+ at v2, is not, and local_files_only \(HF_HUB_OFFLINE\) is set; leave it out to fetch the model$/,
    );
    assert.is((await cacheEntries({ cache_dir: folder })).length, 1);
  }));

test("a model that has only other weights is told", () =>
  one(
    new Map([
      ["config.json", text("{}")],
      ["pytorch_model.bin", text("PK")],
    ]),
    ({ options }) =>
      refuses(
        () => openCheckpoint(ID, options),
        CheckpointError,
        /must hold model\.safetensors, found only pytorch_model\.bin/,
      ),
  ));

const big = weightsOf(BIG);
const bigFiles: Contents = new Map([
  ["config.json", text("{}")],
  ["model.safetensors", big],
]);
const bytesOf = (log: readonly string[]): number =>
  log
    .map((line) => /store (\d+)-(\d+)/.exec(line))
    .reduce((sum, range) => sum + (range ? Number(range[2]) + 1 - Number(range[1]) : 0), 0);

test("large files come in pieces side by side", () =>
  one(bigFiles, async ({ hub, options }) => {
    let [open, most] = [0, 0];
    hub.behaviour = ({ path }, _, response) => {
      if (!path.endsWith("signature=1")) return false;
      most = Math.max(most, ++open);
      response.once("close", () => open--);
      return false;
    };
    assert.equal(await fetchWeights(options), big);
    assert.ok(most > 1, `${most} requests at a time`);
  }));

test("a download that was stopped goes on where it ended", () =>
  one(bigFiles, async ({ hub, folder, options }) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const isThird = ({ headers }: HubRequest): boolean => headers.range?.startsWith(`bytes=${2 ** 24}-`) ?? false;
    hub.behaviour = isThird; // it is never answered
    const stopped = refuses(() => fetchWeights(options, controller.signal), Error, /^enough$/);
    const { stat } = await import("node:fs/promises");
    let size = 0;
    while (size < 2 ** 23) {
      await new Promise((later) => setTimeout(later, 20));
      const part = (await tree(folder)).find((path) => path.endsWith(".incomplete"));
      if (part) ({ size } = await stat(`${folder}/${part}`));
    }
    controller.abort(reason);
    await stopped;
    const part = (await tree(folder)).find((path) => path.endsWith(".incomplete"));
    ({ size } = await stat(`${folder}/${part}`));
    assert.ok(size >= 2 ** 23 && size <= 2 ** 24, `${size} bytes are there`);
    hub.behaviour = () => false;
    assert.is((await cacheEntries({ cache_dir: folder }))[0].revisions.length, 1);
    hub.log.length = 0;
    const seen: number[] = [];
    assert.equal(await fetchWeights(options, undefined, (bytes) => void seen.push(bytes)), big);
    assert.is(bytesOf(hub.log), 65536 + big.length - size);
    assert.ok(seen.every((bytes, i) => bytes > size && bytes >= (seen[i - 1] ?? 0)));
    assert.is(seen.at(-1), big.length);
    assert.not.ok((await tree(folder)).some((path) => path.endsWith(".incomplete")));
  }));

test("cut connections and busy servers do not end a download", () =>
  one(bigFiles, async ({ hub, options }) => {
    let count = 0;
    hub.behaviour = ({ path }, { status, headers, body }, response) => {
      if (!path.endsWith("signature=1") || !body || ++count % 3 === 0) return false;
      if (count % 3 === 1) response.writeHead(503, { "retry-after": "0" }).end();
      else {
        response.writeHead(status, { ...headers, "content-length": body.length });
        response.write(body.subarray(0, body.length / 2), () => setTimeout(() => response.destroy(), 20));
      }
      return true;
    };
    assert.equal(await fetchWeights(options), big);
  }));

test("a request that stalls is made again", async () => {
  const { env } = await import("node:process");
  env.HF_HUB_DOWNLOAD_TIMEOUT = "0.7";
  try {
    await one(bigFiles, async ({ hub, options }) => {
      let stalls = 1;
      const isSecond = ({ headers }: HubRequest): boolean => headers.range?.startsWith(`bytes=${2 ** 23}-`) ?? false;
      hub.behaviour = (request, { status, headers, body }, response) => {
        if (!isSecond(request) || !body || stalls-- <= 0) return false;
        response.writeHead(status, headers).write(body.subarray(0, 5000));
        return true;
      };
      assert.equal(await fetchWeights(options), big);
      await removeFromCache(ID, { cache_dir: options.cache_dir as string });
      stalls = Infinity;
      const never = /must be readable, no byte came for 0\.7 seconds 3 times; check the connection$/;
      await refuses(() => fetchWeights(options), CheckpointError, never);
    });
  } finally {
    delete env.HF_HUB_DOWNLOAD_TIMEOUT;
  }
});

test("a file that is not what the Hub says is removed", () =>
  one(bigFiles, async ({ hub, folder, options }) => {
    hub.behaviour = ({ path }, { body }) => {
      if (path.endsWith("signature=1") && body && body.length > 65536) body[9] ^= 1;
      return false;
    };
    await refuses(
      () => fetchWeights(options),
      CheckpointError,
      /must have sha256 \w{64}, has \w{64}; it was removed, load again$/,
    );
    assert.not.ok((await tree(folder)).some((path) => path.endsWith(".incomplete")));
    hub.behaviour = () => false;
    assert.equal(await fetchWeights(options), big);
  }));

test("loads at the same time download once", () =>
  one(bigFiles, async ({ hub, options }) => {
    for (const got of await Promise.all([1, 2, 3].map(() => fetchWeights(options)))) assert.equal(got, big);
    assert.is(bytesOf(hub.log), 3 * 65536 + big.length);
  }));

/** Puts the beginning of the weights where a process leaves it, and gives its path. */
async function leavePart(folder: string, bytes: Uint8Array): Promise<string> {
  const { mkdir, writeFile } = await import("node:fs/promises");
  const blobs = `${folder}/models--org--distilbert/blobs`;
  await mkdir(blobs, { recursive: true });
  const path = `${blobs}/${await etagOf("model.safetensors", big)}.wgformer.incomplete`;
  await writeFile(path, bytes);
  return path;
}

test("what a process left that died is gone on with", () =>
  one(bigFiles, async ({ hub, folder, options }) => {
    const path = await leavePart(folder, big.subarray(0, 12345));
    await (await import("node:fs/promises")).utimes(path, 0, Date.now() / 1e3 - 120);
    assert.equal(await fetchWeights(options), big);
    assert.is(bytesOf(hub.log), 65536 + big.length - 12345);
  }));

test("what another process writes is waited for", () =>
  one(bigFiles, async ({ hub, folder, options }) => {
    const { rename, writeFile } = await import("node:fs/promises");
    const path = await leavePart(folder, big.subarray(0, 12345));
    const seen: number[] = [];
    const fetching = fetchWeights(options, undefined, (bytes) => void seen.push(bytes));
    while (!seen.length) await new Promise((later) => setTimeout(later, 20));
    await writeFile(path, big);
    await rename(path, path.replace(".wgformer.incomplete", ""));
    assert.equal(await fetching, big);
    assert.is(bytesOf(hub.log), 65536);
    assert.is(seen[0], 12345);
    const controller = new AbortController();
    await removeFromCache(ID, { cache_dir: folder });
    await leavePart(folder, big.subarray(0, 12345));
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await refuses(() => fetchWeights(options, controller.signal), Error, /^enough$/);
  }));

test("nothing is kept with cache_dir: false", () =>
  one(files, async ({ hub, folder, options }) => {
    for (const round of [1, 2]) {
      hub.log.length = 0;
      assert.equal(await fetchWeights({ ...options, cache_dir: false }), weights, `round ${round}`);
      assert.ok(bytesOf(hub.log) >= weights.length);
    }
    assert.equal(await tree(folder), []);
  }));

test("a cache that cannot be written is told, with the cure", () =>
  one(files, async ({ options }) => {
    const cache_dir = `${FOLDER}/config.json`;
    await refuses(
      () => openCheckpoint(ID, { ...options, cache_dir }),
      CheckpointError,
      /must be a folder to keep models in, .*; set cache_dir or HF_HUB_CACHE to another, or pass cache_dir: false/,
    );
  }));

test("progress counts all files together, and each byte once", async () => {
  const shards = ["model-1.safetensors", "model-2.safetensors"];
  const [first, second] = ["a", "b"].map((name) =>
    rawFile({ [name]: { dtype: "F32", shape: [4], data_offsets: [0, 16] } }, 16),
  );
  const index = text(JSON.stringify({ weight_map: { a: shards[0], b: shards[1] } }));
  const contents: Contents = new Map([
    ["config.json", text("{}")],
    ["model.safetensors.index.json", index],
    [shards[0], first],
    [shards[1], second],
  ]);
  await one(contents, async ({ options }) => {
    for (const round of ["the Hub", "the cache"]) {
      const events: ProgressEvent[] = [];
      const progress = (event: ProgressEvent): void => void events.push(event);
      const checkpoint = await openCheckpoint(ID, options);
      await checkpoint.read(checkpoint.entries.values(), () => {}, { progress });
      const total = first.length + second.length;
      const totals = events.filter(({ status }) => status === "progress_total");
      assert.equal(
        totals.map(({ loaded }) => loaded),
        [first.length, total],
        round,
      );
      assert.ok(totals.every((event) => event.total === total && event.name === ID));
      assert.equal(totals.at(-1)?.files, {
        [shards[0]]: { loaded: first.length, total: first.length },
        [shards[1]]: { loaded: second.length, total: second.length },
      });
      for (const status of ["initiate", "done"])
        assert.equal(
          events.filter((event) => event.status === status).map(({ file }) => file),
          shards,
        );
    }
  });
});

test("a model that is not in the cache cannot be removed", () =>
  one(files, async ({ folder, options }) => {
    const remove = (id: string) => () => removeFromCache(id, { cache_dir: folder });
    await refuses(remove(ID), InputError, /^removeFromCache: the model must be in the cache, got org\/distilbert/);
    await openCheckpoint(ID, options);
    await refuses(remove(`${ID}@v2`), InputError, /the revision must be in the cache, got v2; there are main$/);
    await refuses(remove("/etc"), InputError, /^removeFromCache: the model must be org\/name/);
  }));
