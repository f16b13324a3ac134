import {
  DeviceError,
  type Gpu,
  gpu as openGpu,
  load,
  memoryPlan,
  type MemoryPlan,
  type Model,
  openCheckpoint,
  OptionError,
  type Tensor,
} from "../src/index.js";
import { describeCheckpoint } from "../src/model/families/index.js";
import { planModel } from "../src/model/memory_plan.js";
import type { MemoryUse } from "../src/runtime/memory.js";
import { byteLength } from "../src/runtime/tensor.js";
import { assert, folder, readFile, refuses, suite } from "./support/harness.js";
import { serveHub } from "./support/hub.js";

const test = suite("memory plans", { chrome: "Node shows it", deno: "Node shows it" });

/** One of each kind of graph, whose calls run; of the others the weights alone are loaded. */
const RUN = ["bert-token-classifier", "gpt2", "qwen3", "t5-gated", "whisper"];
const LOADED = [
  ...[
    "bert",
    "bert-sequence-classifier",
    "roberta",
    "distilbert",
    "llama",
    "llama3-rope",
    "qwen2",
    "marian-untied",
    "bart",
  ],
  ...["mbart", "pegasus", "m2m_100", "t5", "mt5", "umt5", "whisper-distil", "moonshine", "marian"],
];

let opening: Promise<Gpu> | undefined;
/** A device of this file, without guard words, which would count. */
const plainDevice = (): Promise<Gpu> => (opening ??= openGpu({ tuned: false }));

/** Inputs of `rows` rows of `length` tokens, or of signals that fill the encoder of a speech model. */
function inputsOf({ architecture: { encoder } }: Model, rows: number, length: number) {
  const ids = Array.from({ length: rows }, () => Array<number>(length).fill(7));
  const ones = ids.map((row) => row.map(() => 1));
  if (!encoder?.stem) return { input_ids: ids, attention_mask: ones };
  const features = new Float32Array(rows * encoder.stem.most * encoder.stem.C);
  if (encoder.stem.input === "input_values")
    return { input_values: Array.from({ length: rows }, () => new Float32Array(encoder.stem!.most)) };
  return { input_features: { dims: [rows, encoder.stem.C, encoder.stem.most], data: features } };
}

const held = ({ weight, state, activation, uniforms }: MemoryUse): number[] => [weight, state, activation, uniforms];
const planned = ({ weights, call }: MemoryPlan): number[] => [
  weights.total,
  call.state,
  call.activation,
  call.uniforms,
];

const CALLS = [
  ["auto", 2, 6, { max_new_tokens: 4, num_beams: 3 }],
  ["int8", 1, 3, { max_new_tokens: 5 }],
] as const;

for (const name of [...RUN, ...LOADED])
  test(`${name}: what is planned from headers is what the device holds`, async () => {
    const source = folder(`tests/fixtures/${name}`);
    const gpu = await plainDevice();
    const before = held(gpu.use());
    const [dtype, rows, input_length, more] = CALLS[RUN.indexOf(name) % 2] ?? CALLS[0];
    const model = await load(source, { gpu, dtype });
    const { decoder, encoder } = model.architecture;
    const sizes = { rows, ...(encoder?.stem ? {} : { input_length }), ...(decoder && more) };
    const plan = await memoryPlan(source, { gpu, dtype, ...sizes });
    assert.is(gpu.use().weight, plan.weights.total);
    assert.equal(plan.faults, []);
    const { total, ...formats } = plan.weights;
    assert.is(
      Object.values(formats).reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
    if (RUN.includes(name)) {
      const inputs = inputsOf(model, rows, input_length);
      await (decoder ? model.generate(inputs, more) : model.forward(inputs));
      assert.equal(planned(plan), held(gpu.use()), dtype);
    }
    model.dispose();
    assert.equal(held(gpu.use()), before);
  });

test("nothing but headers is read, and what a device does not allow is said before", async () => {
  const source = folder("models/gpt2-brown");
  const watched = await openCheckpoint(source);
  let read = 0;
  const checkpoint = {
    ...watched,
    read: async () => assert.unreachable("read weights"),
    readBytes: (...args: Parameters<typeof watched.readBytes>) => {
      read += args[2] - args[1];
      return watched.readBytes(...args);
    },
  };
  const plan = await memoryPlan(checkpoint);
  assert.ok(read < 4096, `${read} bytes`);
  assert.equal([plan.family, plan.faults], ["gpt2", []]);
  const { depth, K, E } = (await describeCheckpoint(watched)).architecture.decoder!;
  assert.equal(plan.cache, { token: depth * 2 * K * E * 4 });
  const [one, four] = [await memoryPlan(checkpoint, { rows: 1 }), await memoryPlan(checkpoint, { rows: 4 })];
  assert.ok(four.call.state > 3 * one.call.state && four.weights.total === one.weights.total);
  const small = await memoryPlan(checkpoint, { dtype: "int4" });
  assert.ok(small.weights.total < plan.weights.total && (small.weights.i4 ?? 0) > 0);

  const gpu = await plainDevice();
  const limited = { ...gpu, memory: { ...gpu.memory, check: limit(2 ** 18) } };
  const { faults } = await memoryPlan(checkpoint, { gpu: limited });
  assert.ok(faults.length > 0 && faults.every((fault) => fault.includes("too large")));
});

const limit = (bytes: number) => (t: Tensor) => {
  if (byteLength(t) > bytes) throw new DeviceError(`gpu: ${t.name} is too large`);
};

test("of a model of the Hub, the headers alone are fetched", async () => {
  const path = "tests/fixtures/distilbert";
  const names = ["config.json", "model.safetensors"];
  const contents = await Promise.all(names.map(async (name) => [name, await readFile(`${path}/${name}`)] as const));
  const commit = "a".repeat(40);
  const repo = { branches: { main: commit }, commits: { [commit]: new Map(contents) } };
  await serveHub({ "org/distilbert": repo }, async ({ url }) => {
    const { mkdtemp, readdir, rm } = await import("node:fs/promises");
    const cache_dir = await mkdtemp(`${(await import("node:os")).tmpdir()}/wgformer-plan-`);
    const plan = await memoryPlan("org/distilbert", { endpoint: url, cache_dir, token: false });
    assert.equal(plan, await memoryPlan(folder(path)));
    const cached = await readdir(cache_dir, { recursive: true });
    assert.ok(cached.some((name) => name.endsWith("config.json")));
    assert.not(cached.some((name) => name.endsWith("model.safetensors")));
    await rm(cache_dir, { recursive: true });
  });
});

test("wrong sizes are refused with the cure", async () => {
  const [bert, gpt2] = [folder("tests/fixtures/bert"), folder("tests/fixtures/gpt2")];
  await refuses(
    () => memoryPlan(bert, { num_beams: 2 }),
    OptionError,
    /^memoryPlan: num_beams must be absent, this bert writes no text/,
  );
  await refuses(
    () => memoryPlan(bert, { input_length: 1e5 }),
    OptionError,
    /^memoryPlan: input_length must be at most \d+, got 100000$/,
  );
  await refuses(
    () => memoryPlan(gpt2, { num_beams: 40 }),
    OptionError,
    /^generate: num_beams must be a whole number from 1 to 32, got 40$/,
  );
  await refuses(() => memoryPlan(gpt2, { beams: 4 } as never), OptionError, /^memoryPlan: beams is not supported/);
});

test("the device is given back", async () => (await plainDevice()).dispose());

test("to sample takes one launch more than the best token on a GPU, and none on a CPU adapter", async () => {
  const launches = async (adapter: "cpu" | "gpu", do_sample: boolean): Promise<number | undefined> => {
    const checkpoint = await openCheckpoint(folder("tests/fixtures/gpt2"));
    const { plans } = await planModel(checkpoint, { options: { do_sample } }, { adapter, weightLimit: Infinity });
    return plans.find(({ name }) => name === "step")?.launches.length;
  };
  assert.is(await launches("cpu", true), await launches("cpu", false));
  assert.is(await launches("gpu", true), 1 + (await launches("gpu", false))!);
});
