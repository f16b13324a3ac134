import { gpu as openGpu, tensor, tune, record } from "../src/index.js";
import { layernormResidual } from "../src/kernels/index.js";
import { builtinModule, isNode } from "../src/runtime/builtin.js";
import { hostObject } from "../src/runtime/host.js";
import { throttlePolling } from "../src/runtime/polling.js";
import { tuningStore } from "../src/runtime/tuning.js";
import { assert, runtime, suite } from "./support/harness.js";

const test = suite("places to run");
const NODE_ONLY = { chrome: "has no files", deno: "Node shows it" };

/** Runs `body` while properties of the global object are others; a function is a getter. */
async function within(globals: Readonly<Record<string, unknown>>, body: () => unknown): Promise<void> {
  const before = Object.keys(globals).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries(globals)) {
    const property = typeof value === "function" ? { get: value as () => unknown } : { value };
    Object.defineProperty(globalThis, name, { ...property, configurable: true });
  }
  try {
    await body();
  } finally {
    for (const [name, property] of before) {
      if (property) Object.defineProperty(globalThis, name, property);
      else delete (globalThis as Record<string, unknown>)[name];
    }
  }
}

const refuse = (): never => {
  throw new Error("SecurityError: the document is sandboxed");
};
const adapter = (name: string) => ({
  vendor: "test",
  architecture: name,
  description: "none",
  software: true,
  subgroup: 8,
});
const unique = (): string => Math.random().toString(36).slice(2);

test("Node is Node, and no page that plays at it", async () => {
  assert.is(isNode(), runtime === "node");
  for (const process of [{ env: {} }, { env: {}, versions: {} }, { versions: { node: "" } }, {}, undefined])
    await within({ process }, () => assert.is(isNode(), false));
});

test("a page in which a bundler plays at Node has no files", () =>
  within({ process: { env: {} }, caches: undefined, ...(runtime === "deno" && { Deno: undefined }) }, () =>
    assert.is(tuningStore(adapter("page")), undefined),
  ));

test("a getter that throws counts as absent", () =>
  within({ caches: () => refuse(), navigator: () => refuse(), process: () => refuse() }, () => {
    assert.equal(
      [hostObject("caches"), hostObject("navigator"), hostObject("process")],
      [undefined, undefined, undefined],
    );
    assert.is(tuningStore(adapter("page")), undefined);
    assert.is(isNode(), false);
  }));

test("a page with setImmediate never sleeps", () => {
  let called = 0;
  const setImmediate = () => () => void called++;
  return within({ setImmediate, process: { env: {} } }, () => {
    throttlePolling()(Promise.resolve());
    assert.is(called, 0);
  });
});

test("a Cache that cannot be opened holds nothing, and writing to it says so", async () => {
  const caches = () => ({ open: () => Promise.reject(new Error("not here")) });
  const globals = { caches, process: { env: {} }, ...(runtime === "deno" && { Deno: undefined }) };
  await within(globals, async () => {
    const store = tuningStore(adapter("page"));
    assert.equal(await store?.read(), {});
    const said = await store?.add({}).then(
      () => "",
      (error: Error) => error.message,
    );
    assert.is(said, "not here");
  });
});

const choice = (value: number) => ({ variant: "shared", constants: { TILE: value } });

test("many writers lose nothing of each other's", async () => {
  const info = adapter(unique());
  const want: Record<string, unknown> = {};
  const write = async (writer: number): Promise<void> => {
    const store = tuningStore(info);
    for (let n = 0; n < 20; n++) {
      const key = `kernel ${writer} ${n}`;
      want[key] = choice(n);
      await store?.add({ [key]: choice(n) });
    }
  };
  await Promise.all([0, 1, 2, 3].map(write));
  const store = tuningStore(info);
  assert.equal(await store?.read(), want);
  if (runtime === "chrome")
    return void (await (await caches.open("wgformer")).delete(store?.place.split(", ")[1] ?? ""));
  const { readdir, rm } = await import("node:fs/promises");
  const [folder, name] = (store?.place ?? "").split(/\/(?=[^/]+$)/);
  assert.equal(
    (await readdir(folder)).filter((file) => file.startsWith(name)),
    [name],
    "nothing is left beside it",
  );
  await rm(`${folder}/${name}`);
});

test(
  "a stored choice that is broken is passed over, the others are read; a lock that was left behind is broken",
  async () => {
    const { mkdir, rm, utimes, writeFile } = await import("node:fs/promises");
    const store = tuningStore(adapter(unique()));
    assert.ok(store);
    await mkdir(store.place.replace(/\/[^/]+$/, ""), { recursive: true });
    const broken = { a: null, b: 5, c: { variant: 1 }, d: { variant: "x", constants: null } };
    for (const text of ["null", "[]", "5", '"text"', "{", JSON.stringify(broken)]) {
      await writeFile(store.place, text);
      assert.equal(await store.read(), {}, text);
    }
    await writeFile(store.place, JSON.stringify({ ...broken, good: choice(1) }));
    await writeFile(`${store.place}.lock`, "");
    await utimes(`${store.place}.lock`, 1, 1);
    await store.add({ more: choice(2) });
    assert.equal(await store.read(), { good: choice(1), more: choice(2) });
    await rm(store.place);
  },
  NODE_ONLY,
);

test(
  "where choices cannot be stored they are told so with each, and used all the same",
  async () => {
    const { writeFile, rm } = await import("node:fs/promises");
    const file = `/tmp/wgformer-${unique()}`;
    await writeFile(file, "a file where the folder should be");
    const env = builtinModule("node:process")?.env;
    const before = env?.WGFORMER_CACHE;
    if (env) env.WGFORMER_CACHE = file;
    const gpu = await openGpu();
    if (env && before === undefined) delete env.WGFORMER_CACHE;
    else if (env) env.WGFORMER_CACHE = before;
    const [x, gamma, beta] = [tensor("x", "f32", [5, 64]), tensor("g", "f32", [64]), tensor("b", "f32", [64])];
    const plan = record("norm", (run) => void run(layernormResidual, "norm", { x, gamma, beta }, { eps: 1e-5 }));
    const said: (string | undefined)[] = [];
    const choices = await tune(gpu, [plan], { progress: ({ unsaved }) => said.push(unsaved) });
    assert.match(said[0] ?? "", /ENOTDIR|EEXIST/);
    assert.equal(gpu.tuning.choices(), choices);
    assert.is(Object.keys(choices).length, 1);
    gpu.dispose();
    await rm(file);
  },
  NODE_ONLY,
);
