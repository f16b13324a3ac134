import {
  type CheckpointSource,
  DeviceError,
  gpu as openGpu,
  InputError,
  load,
  type LoadOptions,
  type Model,
  tensor,
} from "../src/index.js";
import { openDevice } from "../src/runtime/device.js";
import type { DeviceLost } from "../src/runtime/health.js";
import { openSource } from "../src/model/checkpoint/source.js";
import { assert, folder, refuses, suite } from "./support/harness.js";

const test = suite("lost devices");
const LOST = /^gpu: the device was lost \(/;

const open = (options: LoadOptions = {}): Promise<Model> => load(folder("tests/fixtures/bert"), options);

const states = async (model: Model): Promise<Float32Array> =>
  (await model.encode({ input_ids: [[5, 9, 33, 2, 7]] })).last_hidden_state.data;

async function withModel(body: (model: Model) => Promise<void>, options?: LoadOptions): Promise<void> {
  const model = await open(options);
  try {
    await body(model);
  } finally {
    model.dispose();
  }
}

test("calls in flight reject with DeviceError, and the next one goes on with another device", () =>
  withModel(async (model) => {
    const want = await states(model);
    const flying = [states(model), states(model)];
    model.gpu.device.destroy();
    for (const call of flying) await refuses(() => call, DeviceError, LOST);
    assert.equal(await states(model), want);
  }));

test("a call right after the loss waits for nothing but the new device", () =>
  withModel(async (model) => {
    const want = await states(model);
    const { device } = model.gpu;
    const { weight } = model.memory();
    for (let time = 0; time < 3; time++) {
      model.gpu.device.destroy();
      assert.equal(await states(model), want);
    }
    assert.is.not(model.gpu.device, device);
    assert.is(model.memory().weight, weight);
  }));

test("calls at once share the new device and its weights", () =>
  withModel(async (model) => {
    const want = await states(model);
    const { weight } = model.memory();
    model.gpu.device.destroy();
    const all = await Promise.all([1, 2, 3, 4].map(() => states(model)));
    assert.equal(all, [want, want, want, want]);
    assert.is(model.memory().weight, weight);
  }));

test("onDeviceLost is told once a loss, and not of dispose; what it throws harms nobody", async () => {
  const told: DeviceLost[] = [];
  const onDeviceLost = (event: DeviceLost): void => {
    told.push(event);
    throw new Error("a listener's own");
  };
  await withModel(
    async (model) => {
      model.gpu.device.destroy();
      await states(model);
    },
    { onDeviceLost },
  );
  assert.equal(told, [{ reason: "destroyed", message: "destroy() was called", reopens: true }]);
});

test("dispose while the weights are uploaded again lets the call finish, and frees all", async () => {
  const model = await open();
  const want = await states(model);
  model.gpu.device.destroy();
  const call = states(model);
  model.dispose();
  assert.equal(await call, want);
  await refuses(() => states(model), InputError, /after dispose/);
  assert.is(model.memory().total, 0);
});

test("a Gpu that is disposed while another device is opened stays disposed", async () => {
  const gpu = await openGpu({ tuned: false });
  gpu.device.destroy();
  const opening = gpu.ready();
  gpu.dispose();
  await refuses(() => opening, DeviceError, /after dispose/);
  assert.is(gpu.ready(), undefined);
});

test("models on one Gpu all go on, each with its own weights", async () => {
  const gpu = await openGpu({ tuned: false });
  const models = [await open({ gpu }), await load(folder("tests/fixtures/distilbert"), { gpu })];
  const want = [await states(models[0]), await states(models[1])];
  gpu.device.destroy();
  assert.equal([await states(models[0]), await states(models[1])], want);
  for (const model of models) model.dispose();
  assert.is(gpu.use().weight, 0);
  gpu.dispose();
});

test("a device of the caller's cannot be opened again, and the message says so", async () => {
  const { device } = await openDevice({});
  await withModel(
    async (model) => {
      device.destroy();
      await device.lost;
      await refuses(() => states(model), DeviceError, /it is the caller's: load again with another$/);
      await refuses(() => model.forward({ input_ids: [[1]] }), DeviceError, /it is the caller's/);
    },
    { device },
  );
});

test("a tensor of the lost device is refused, and one that was freed", async () => {
  const gpu = await openGpu({ tuned: false });
  const [lost, freed] = [tensor("lost", "f32", [4]), tensor("freed", "f32", [4])];
  gpu.write(lost, Float32Array.of(1, 2, 3, 4));
  gpu.write(freed, Float32Array.of(1, 2, 3, 4));
  gpu.memory.free([freed]);
  await refuses(() => gpu.read(freed), DeviceError, /^gpu: freed f32\[4\] was freed/);
  await refuses(() => gpu.write(freed, Float32Array.of(1)), DeviceError, /was freed/);
  gpu.device.destroy();
  await gpu.ready();
  await refuses(() => gpu.read(lost), DeviceError, /^gpu: lost f32\[4\] was lost with its device/);
  gpu.dispose();
});

/** A source whose files can be opened once only. */
function once(path: string | URL): CheckpointSource {
  const source = openSource(path);
  const opened = new Set<string>();
  return {
    label: "once",
    async open(name) {
      if (opened.has(name)) throw new Error(`${name} was opened before`);
      opened.add(name);
      const file = await source.open(name);
      const read = new Set<number>();
      return (
        file && {
          size: file.size,
          read(start, end, signal) {
            if (read.has(start) && name.endsWith(".safetensors") && start > 8) throw new Error("was read before");
            read.add(start);
            return file.read(start, end, signal);
          },
        }
      );
    },
  };
}

test("a source that can be read only once survives the loss by a copy", async () => {
  const model = await load(once(folder("tests/fixtures/bert")));
  const want = await states(model);
  for (let time = 0; time < 2; time++) {
    model.gpu.device.destroy();
    assert.equal(await states(model), want);
  }
  model.dispose();
});

test("a source that is gone gives its error to the call, and its return is noticed", async () => {
  let gone = false;
  const source = openSource(folder("tests/fixtures/bert"));
  const model = await load({
    label: "may go",
    rereadable: true,
    async open(name, signal) {
      const file = await source.open(name, signal);
      return (
        file && {
          size: file.size,
          read(...range) {
            if (gone) throw new Error("the source is gone");
            return file.read(...range);
          },
        }
      );
    },
  });
  const want = await states(model);
  gone = true;
  model.gpu.device.destroy();
  await refuses(() => states(model), Error, /the source is gone/);
  assert.is(model.memory().weight, 0);
  gone = false;
  assert.equal(await states(model), want);
  model.dispose();
});

test("generation goes on after the loss, and a past is computed again", async () => {
  const model = await load(folder("tests/fixtures/llama"));
  const past = await model.past({ input_ids: [[5, 9, 33]] });
  const call = async () =>
    (await model.generate({ past_key_values: past, input_ids: [[2]] }, { max_new_tokens: 4 })).sequences;
  const want = await call();
  model.gpu.device.destroy();
  assert.equal(await call(), want);
  past.dispose();
  model.dispose();
});

test("a step that is given its own decoder on the lost device is refused", async () => {
  const model = await load(folder("tests/fixtures/marian"));
  const decoder = await model.decoder({ input_ids: [[5, 9, 33]] }, { max_length: 4 });
  await decoder.step([3]);
  model.gpu.device.destroy();
  await refuses(() => decoder.step([3]), DeviceError, /lost with its device/);
  decoder.dispose();
  model.dispose();
});
