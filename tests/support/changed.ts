import { load, type Model } from "../../src/index.js";
import { CheckpointError } from "../../src/runtime/errors.js";
import { assert, device, readFile, readJson, refuses, type Test } from "./harness.js";
import { sampleInputs } from "./samples.js";
import { inMemory, safetensors, type Stored, storedTensors } from "./safetensors.js";

/** The tensors of a checkpoint by their stored names. */
export type Tensors = Record<string, Stored>;
/** Changes a fixture; may return further files. */
export type Change = (
  tensors: Tensors,
  config: Record<string, unknown>,
) => Readonly<Record<string, object | undefined>> | void;

/** The files of a fixture, changed. */
export async function changed(fixture: string, change: Change): Promise<Record<string, object>> {
  const path = `tests/fixtures/${fixture}`;
  const tensors = storedTensors(await readFile(`${path}/model.safetensors`));
  const config = await readJson<Record<string, unknown>>(`${path}/config.json`);
  const more = change(tensors, config) ?? {};
  const files = { "config.json": config, "model.safetensors": safetensors(tensors), ...more };
  return Object.fromEntries(Object.entries(files).filter(([, file]) => file)) as Record<string, object>;
}

/** What a model computes for some tokens. */
export async function outputs(model: Model): Promise<number[]> {
  const sources = sampleInputs(model.architecture, [[5, 9, 33, 2, 7]]);
  const { encoder, decoder } = model.architecture;
  const inputs = encoder && decoder ? { ...sources, decoder_input_ids: [[3, 5, 8]] } : sources;
  return Object.values(await model.forward(inputs)).flatMap(({ data }: { data: Float32Array }) => [...data]);
}

/** What a checkpoint of these files computes for some tokens. */
export async function outputsOf(files: Readonly<Record<string, object>>): Promise<number[]> {
  const model = await load(inMemory(files), { gpu: await device() });
  const found = await outputs(model);
  model.dispose();
  return found;
}

/** Gives every tensor another name. */
export function rename(tensors: Tensors, name: (old: string) => string): void {
  for (const [old, tensor] of Object.entries(tensors)) {
    delete tensors[old];
    tensors[name(old)] = tensor;
  }
}

/** Declares tests of changed fixtures. */
export function changes(test: Test) {
  return {
    /** A changed fixture gives what it gives with another change, or as it is. */
    same: (title: string, fixture: string, change: Change, like: Change = () => {}): void =>
      test(title, async () =>
        assert.equal(await outputsOf(await changed(fixture, change)), await outputsOf(await changed(fixture, like))),
      ),

    /** A changed fixture is refused with a CheckpointError. */
    refusesChange: (title: string, fixture: string, change: Change, message: RegExp): void =>
      test(`refuses ${title}`, async () => {
        const files = await changed(fixture, change);
        await refuses(async () => load(inMemory(files), { gpu: await device() }), CheckpointError, message);
      }),
  };
}
