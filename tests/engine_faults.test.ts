// What goes wrong in an engine: devices that are lost, calls that fail, callers that throw or never read, numbers that are none.
import {
  DeviceError,
  gpu as openGpu,
  InputError,
  load,
  type Model,
  type StreamEvent,
  WgformerError,
} from "../src/index.js";
import { openDevice } from "../src/runtime/device.js";
import { type Engine, sameResult, type Submitted, turn } from "./support/arrivals.js";
import { changed } from "./support/changed.js";
import { seed } from "./support/campaign.js";
import { openModel } from "./support/checkpoint.js";
import { type Call, CALLS, injectFaults, unhandled, waysOf } from "./support/faults.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";
import { inMemory, stored } from "./support/safetensors.js";
import { tinyMarian } from "./support/tiny.js";

const test = suite("faults of an engine", {
  chrome: "its shaders compile for minutes; Node shows it",
  deno: "what the host does is the same in all runtimes; Node shows it",
});
const GPT2 = "tests/fixtures/gpt2";
const SIZE = { slots: 400, rows: 6, length: 80 };
const row = (length: number, seed = 0): number[] => Array.from({ length }, (_, t) => 1 + ((7 * t + 13 * seed) % 90));
const exactly = (max_new_tokens: number) => ({ max_new_tokens, eos_token_id: null });
const inputsOf = (seed: number) => ({ input_ids: [row(4 + seed, seed)] });

/** Reads a stream to its end. */
async function drain({ stream }: Submitted): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** Runs three requests, with `fault` on the second of them; asserts that the others give what they give alone. */
async function besideOthers(model: Model, fault: (engine: Engine) => Promise<unknown>): Promise<void> {
  const engine = await model.engine(SIZE);
  const options = [exactly(20), { num_beams: 3, ...exactly(12) }];
  const want = [];
  for (const [i, own] of options.entries()) want.push(await model.generate(inputsOf(i), own));
  const first = engine.submit({ inputs: inputsOf(0), options: options[0] });
  const faulty = fault(engine);
  const last = engine.submit({ inputs: inputsOf(1), options: options[1] });
  await faulty;
  sameResult(await first.result, want[0]);
  sameResult(await last.result, want[1]);
  await engine.idle();
  engine.check();
  const { rows, slots } = engine.stats();
  assert.equal([rows.used, slots.used], [0, slots.shared]);
  sameResult(await engine.submit({ inputs: inputsOf(0), options: options[0] }).result, want[0]);
  engine.dispose();
}

// --- callers ---

test("a hook that throws ends its own request alone", async () => {
  const reason = new Error("a hook's own");
  await besideOthers(await openModel(GPT2), async (engine) => {
    let step = 0;
    const onStep = (): void => {
      if (++step === 3) throw reason;
    };
    const { result } = engine.submit({ inputs: inputsOf(2), options: { num_beams: 2, ...exactly(15), onStep } });
    assert.is(await result.catch((error: unknown) => error), reason);
  });
});

test("a reader that throws touches nobody else", async () => {
  const reason = new Error("a reader's own");
  await besideOthers(await openModel(GPT2), async (engine) => {
    const request = engine.submit({ inputs: inputsOf(2), options: exactly(15) });
    const reading = async (): Promise<void> => {
      for await (const _ of request.stream) throw reason;
    };
    assert.is(await reading().catch((error: unknown) => error), reason);
    await request.result.catch(() => {}); // whether it goes on is its own affair
  });
});

test("a stream that nobody reads, or that is read no further, holds nobody up", async () => {
  await besideOthers(await openModel(GPT2), async (engine) => {
    const want = await engine.submit({ inputs: inputsOf(2), options: exactly(15) }).result;
    const never = engine.submit({ inputs: inputsOf(2), options: exactly(15) });
    const once = engine.submit({ inputs: inputsOf(2), options: exactly(15) });
    await once.stream[Symbol.asyncIterator]().next();
    sameResult(await never.result, want);
    sameResult(await once.result, want);
    assert.equal((await drain(never)).flatMap(({ token_ids }) => token_ids), want.sequences[0].slice(6)); // prettier-ignore
  });
});

// --- numbers ---

/** The fixture with a position table in which one row overflows: whoever comes to that position has no finite logits. */
async function overflowing(position: number): Promise<Model> {
  const files = await changed("gpt2", (tensors) => {
    const name = Object.keys(tensors).find((key) => key.endsWith("wpe.weight"));
    if (!name) throw new Error("the fixture must have positions");
    const { shape } = tensors[name];
    const values = new Float32Array(tensors[name].data.slice().buffer);
    values.fill(3e38, position * shape[1], (position + 1) * shape[1]);
    tensors[name] = stored("F32", shape, values);
  });
  return load(inMemory(files), { gpu: await device() });
}

test("logits that are not finite end their own request alone, from the first step on or later", async () => {
  const model = await overflowing(40);
  const error = /logits must be finite/;
  for (const length of [41, 30])
    for (const own of [{}, { num_beams: 2 }]) {
      const options = { ...own, ...exactly(20) };
      const inputs = { input_ids: [row(length)] };
      await refuses(() => model.generate(inputs, options), InputError, error);
      await besideOthers(model, async (engine) => {
        const request = engine.submit({ inputs, options });
        await refuses(() => drain(request), InputError, error);
        await refuses(() => request.result, InputError, error);
      });
    }
  model.dispose();
});

test("a request for which no token is allowed ends alone, with the words of generate", async () => {
  const model = await openModel(GPT2);
  const options = { ...exactly(8), suppress_tokens: Array.from({ length: 97 }, (_, id) => id) };
  const error = (await model.generate(inputsOf(2), options).catch((error: unknown) => error)) as Error;
  await besideOthers(model, async (engine) => {
    const got = (await engine
      .submit({ inputs: inputsOf(2), options })
      .result.catch((error: unknown) => error)) as Error;
    assert.equal([got.name, got.message], [error.name, error.message]);
  });
});

// --- devices ---

test("a device that is lost rejects what runs, and later requests run on another", async () => {
  const model = await load(folder(GPT2));
  const engine = await model.engine({ ...SIZE, rows: 2, prefixes: 100 });
  const request = { inputs: inputsOf(1), options: exactly(30) };
  const want = await engine.submit(request).result;
  for (let time = 0; time < 2; time++) {
    const strays = await unhandled(async () => {
      const flying = [1, 2, 3].map(() => engine.submit(request));
      const { steps } = engine.stats();
      while (engine.stats().steps < steps + 5) await turn();
      model.gpu.device.destroy();
      const read = await drain(flying[0]).catch((error: unknown) => error);
      assert.instance(read, DeviceError);
      await refuses(() => flying[0].result, DeviceError, /the device was lost/);
      for (const { result } of flying.slice(1)) {
        const got = await result.catch((error: unknown) => error as Error);
        if (!(got instanceof DeviceError)) sameResult(got as typeof want, want); // it waited, and runs on the other
      }
    });
    assert.equal(strays, []);
    sameResult(await engine.submit(request).result, want);
    engine.check();
  }
  await engine.idle();
  engine.dispose();
  model.dispose();
  assert.is(model.memory().total, 0);
});

test("a device of the caller's that is lost ends the engine's requests, and the message says so", async () => {
  const { device: own } = await openDevice({});
  const model = await load(folder(GPT2), { device: own });
  const engine = await model.engine(SIZE);
  const request = engine.submit({ inputs: inputsOf(1), options: exactly(30) });
  while (engine.stats().steps < 3) await turn();
  own.destroy();
  await refuses(() => request.result, DeviceError, /the device was lost/);
  await refuses(() => engine.submit({ inputs: inputsOf(1) }).result, DeviceError, /it is the caller's/);
  engine.dispose();
  model.dispose();
});

const tiny = tinyMarian({ D: 32, V: 40, layers: 1 }, 5);
const IDS = { input_ids: [[5, 9, 33]] };
const ASKED = { num_beams: 2, max_new_tokens: 3 };

/** Two requests at once: what became of each. */
async function tryBoth(engine: Engine, want: Awaited<Submitted["result"]>): Promise<string[]> {
  const outcome = async (): Promise<string> => {
    try {
      sameResult(await engine.submit({ inputs: IDS, options: ASKED }).result, want);
      return "right";
    } catch (error) {
      return error instanceof WgformerError ? error.name : `UNTYPED ${String(error)}`;
    }
  };
  return Promise.all([outcome(), outcome()]);
}

const STRIDE = 3; // of the calls of an engine's life one of so many fails

test("whatever call fails, results are right or errors typed, and the next request is right", async () => {
  const { device: own } = await openDevice({});
  const faulty = injectFaults(own);
  const gpu = await openGpu({ device: own, tuned: false });
  const model = await load(tiny, { gpu });
  const want = await model.generate(IDS, ASKED);
  const found: string[] = [];
  const kinds = new Set<string>();
  for (const call of CALLS.filter(
    (one): one is Call => one !== "createShaderModule" && one !== "createComputePipelineAsync",
  )) {
    for (const way of waysOf(call)) {
      for (let k = 0, came = true; came; k += STRIDE + Math.floor(k / 2)) {
        const strays = await unhandled(async () => {
          faulty.fail(call, k, way);
          const engine = await model
            .engine({ slots: 60, rows: 4, length: 12, beams: 2 })
            .catch((error: unknown) => error);
          if (engine instanceof Error) {
            if (!(engine instanceof DeviceError)) found.push(`${call} ${k} ${way}: opening: ${String(engine)}`);
            came = faulty.end();
            return;
          }
          const opened = engine as Engine;
          for (const kind of await tryBoth(opened, want)) {
            kinds.add(kind);
            if (!["right", "DeviceError"].includes(kind)) found.push(`${call} ${k} ${way}: ${kind}`);
          }
          came = faulty.end();
          for (const kind of await tryBoth(opened, want))
            if (kind !== "right") found.push(`${call} ${k} ${way}: the next request: ${kind}`);
          opened.dispose();
        });
        if (strays.length) found.push(`${call} ${k} ${way}: unhandled ${strays.join()}`);
      }
    }
  }
  model.dispose();
  const { staging: _, total: __, ...held } = gpu.use();
  for (const [kind, bytes] of Object.entries(held)) if (bytes > 0) found.push(`${bytes} bytes of ${kind} are left`);
  gpu.dispose();
  if (faulty.live.size > 0) found.push(`${faulty.live.size} buffers are left`);
  own.destroy();
  assert.equal(found, []);
  assert.ok(kinds.has("DeviceError") && kinds.has("right"));
});

test("at whatever call the device is lost, requests end and the next ones are right on another", async () => {
  const first = await load(tiny);
  const want = await first.generate(IDS, ASKED);
  first.dispose();
  const found: string[] = [];
  for (let k = seed % 9, came = true; came; k = 2 * k + 9) {
    const gpu = await openGpu({ tuned: false });
    const model = await load(tiny, { gpu });
    const engine = await model.engine({ slots: 60, rows: 4, length: 12, beams: 2 });
    const faulty = injectFaults(gpu.device);
    const strays = await unhandled(async () => {
      faulty.fail("any", k, "loses");
      for (const kind of await tryBoth(engine, want))
        if (!["right", "DeviceError"].includes(kind)) found.push(`lost at call ${k}: ${kind}`);
      came = faulty.end();
      for (const kind of await tryBoth(engine, want))
        if (kind !== "right") found.push(`lost at call ${k}: the next request: ${kind}`);
    });
    if (strays.length) found.push(`lost at call ${k}: unhandled ${strays.join()}`);
    engine.check();
    engine.dispose();
    model.dispose();
    const { staging, total } = gpu.use();
    if (total > staging) found.push(`lost at call ${k}: ${total - staging} bytes are left`);
    gpu.dispose();
  }
  assert.equal(found, []);
});
