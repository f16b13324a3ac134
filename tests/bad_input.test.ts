import { CheckpointError, type Gpu, InputError, load, type Model, OptionError } from "../src/index.js";
import { readHeader } from "../src/model/checkpoint/safetensors.js";
import { readGolden } from "./support/golden.js";
import { assert, device, folder, readFile, readJson, refuses, suite } from "./support/harness.js";
import { inMemory, recordingFile } from "./support/safetensors.js";

const test = suite("bad input");

const MARIAN = "tests/fixtures/marian";
const marian = async (): Promise<Model> => load(folder(MARIAN), { gpu: await device() });

/** Runs `body` with a model that is disposed after it. */
async function withModel(body: (model: Model) => unknown): Promise<void> {
  const model = await marian();
  try {
    await body(model);
  } finally {
    model.dispose();
  }
}

// --- load ---

type Change = (config: Record<string, unknown>) => void;

/** The files of the fixture with its config or its weights changed. */
async function changed(config: Change, weights: (bytes: Uint8Array<ArrayBuffer>) => unknown = (bytes) => bytes) {
  const json = await readJson<Record<string, unknown>>(`${MARIAN}/config.json`);
  config(json);
  const bytes = await readFile(`${MARIAN}/model.safetensors`);
  return inMemory({
    "config.json": json,
    "generation_config.json": await readFile(`${MARIAN}/generation_config.json`),
    "model.safetensors": (await weights(bytes)) ?? bytes,
  });
}

const refusesFolder = (
  name: string,
  config: Change,
  message: RegExp,
  weights?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
): void =>
  test(`refuses ${name}`, async () => {
    const source = await changed(config, weights);
    const gpu = await device();
    await refuses(() => load(source, { gpu }), CheckpointError, message);
  });
const same: Change = () => {};

test("refuses a folder that is no checkpoint, naming it and what it must hold", async () => {
  const gpu = await device();
  await refuses(
    () => load(folder("shaders"), { gpu }),
    CheckpointError,
    /shaders: must be a checkpoint folder with config\.json, .* found no config\.json$/,
  );
});
test("refuses a source of no known kind", () =>
  refuses(() => load(7 as never), CheckpointError, /^load: the source must be a model of the Hub, a folder path/));
test("refuses an unknown dtype", () =>
  refuses(
    () => load(folder(MARIAN), { dtype: "int3" as never }),
    OptionError,
    /^load: dtype must be one of auto, f32, f16, bf16, int8, int4, got "int3"$/,
  ));
refusesFolder(
  "a config of another model_type, naming those known",
  (config) => {
    config.model_type = "mamba";
  },
  /config\.json: model_type must be one of .*marian.*, got "mamba"$/,
);
refusesFolder(
  "a config with a size that is none, naming it",
  (config) => {
    config.d_model = 0;
  },
  /^config\.json: d_model must be a whole number above 0, got /,
);
refusesFolder(
  "a config with an unknown activation, naming those known",
  (config) => {
    config.activation_function = "tan";
  },
  /^config\.json: activation_function must be one of .*relu, .*, got "tan"$/,
);
refusesFolder(
  "a config with an activation that only JavaScript's objects know",
  (config) => {
    config.activation_function = "toString";
  },
  /^config\.json: activation_function must be one of .*relu, .*, got "toString"$/,
);
refusesFolder(
  "a config whose heads do not divide its width",
  (config) => {
    config.decoder_attention_heads = 3;
  },
  /^config\.json: decoder_attention_heads must be a divisor of d_model=64, got 3$/,
);
refusesFolder(
  "a config of other sizes than the weights, naming every tensor",
  (config) => {
    config.vocab_size = 98;
  },
  /the weights must fit marian, 2 do not:\n {2}misshapen: model\.shared\.weight must be \[98,64\], got \[97,64\]\n/,
);
refusesFolder(
  "truncated weights, naming file and cure",
  same,
  /^model\.safetensors: the file must have 889324 bytes, got 889224 \(truncated\); fetch the file again$/,
  (bytes) => bytes.slice(0, -100),
);
refusesFolder(
  "weights cut in their header, naming file and cure",
  same,
  /^model\.safetensors: the header must have 2 to \d+ bytes.*fetch the file again$/,
  (bytes) => bytes.slice(0, 500),
);

test("a signal that is aborted already ends load with its reason", () =>
  refuses(() => load(folder(MARIAN), { signal: AbortSignal.abort(new Error("enough")) }), Error, /^enough$/));
test("an abort during load ends it with the signal's reason", async () => {
  const gpu = await device();
  const controller = new AbortController();
  const progress = () => controller.abort(new Error("enough"));
  await refuses(() => load(folder(MARIAN), { gpu, signal: controller.signal, progress }), Error, /^enough$/);
});
test("a load that fails after its first upload gives the memory back", async () => {
  const gpu = await device();
  const before = gpu.use().weight;
  const controller = new AbortController();
  await load(folder(MARIAN), { gpu, signal: controller.signal, progress: () => controller.abort() }).catch(() => {});
  assert.is(gpu.use().weight, before);
});

// --- generate ---

const IDS = [[57, 71, 34, 0]];
type Inputs = Parameters<Model["generate"]>[0];

const refusesCall = (
  name: string,
  kind: typeof InputError | typeof OptionError,
  inputs: unknown,
  given: object,
  message: RegExp,
): void =>
  test(`refuses ${name}`, () =>
    withModel((model) => refuses(() => model.generate(inputs as Inputs, given), kind, message)));

refusesCall("no inputs", InputError, undefined, {}, /^input_ids: must be a list of lists of token ids, got nothing$/);
refusesCall(
  "an empty batch",
  InputError,
  { input_ids: [] },
  {},
  /^input_ids: must hold at least one row, got an empty batch$/,
);
refusesCall(
  "an empty row",
  InputError,
  { input_ids: [[5], []] },
  {},
  /^input_ids: row 1 must hold at least one token, got none$/,
);
refusesCall(
  "ids out of the vocabulary",
  InputError,
  { input_ids: [[5, 97]] },
  {},
  /^input_ids: ids must be whole numbers from 0 to 96, got 97 in row 0$/,
);
refusesCall(
  "a source beyond the position table, with the cure",
  InputError,
  { input_ids: [Array(81).fill(5)] },
  {},
  /^input_ids: row 0 must have at most 80 tokens \(max_position_embeddings\), got 81; split or shorten it$/,
);
refusesCall(
  "a mask of another shape",
  InputError,
  { input_ids: IDS, attention_mask: [[1]] },
  {},
  /^attention_mask: row 0 must have the 4 entries of input_ids, got 1$/,
);
refusesCall(
  "more beams than there can be",
  OptionError,
  { input_ids: IDS },
  { num_beams: 33 },
  /^generate: num_beams must be a whole number from 1 to 32, got 33$/,
);
refusesCall(
  "an unknown option, naming it",
  OptionError,
  { input_ids: IDS },
  { num_beam: 4 },
  /^generate: num_beam is not supported; did you mean num_beams/,
);
refusesCall(
  "sampling with beams, with the cure",
  OptionError,
  { input_ids: IDS },
  { do_sample: true, num_beams: 2 },
  /^generate: num_beams must be 1 with do_sample, got 2; beams are searched, not drawn$/,
);
refusesCall(
  "a limit beyond the position table, with the cure",
  OptionError,
  { input_ids: IDS },
  { max_new_tokens: 81 },
  /^generate: max_new_tokens must leave at most 80 positions .*lower it to 80$/,
);

test("logits that are not finite end generate with InputError, naming the step", async () => {
  const source = await changed(same, async (bytes) => {
    const entries = await readHeader("model.safetensors", recordingFile(bytes));
    const entry = entries.find(({ name }) => name === "model.decoder.layers.1.final_layer_norm.weight");
    if (!entry) throw new Error("the fixture must have a last norm");
    const view = new DataView(bytes.buffer);
    for (let at = entry.start; at < entry.end; at += 4) view.setFloat32(at, 3e38, true);
  });
  const model = await load(source, { gpu: await device() });
  try {
    await refuses(
      () => model.generate({ input_ids: IDS }, { num_beams: 2 }),
      InputError,
      /^generate: step 1: logits must be finite, those of row 0 are not;.* generate the others without row 0$/,
    );
  } finally {
    model.dispose();
  }
});

const golden = await readGolden(MARIAN);
const beams = golden.cases.find(({ name }) => name === "beam-4-never");
if (!beams) throw new Error("the fixture must have the case beam-4-never");
const {
  inputs,
  options,
  expected: { sequences },
} = beams;
const generate = (model: Model, signal?: AbortSignal) => model.generate(inputs, { ...options, signal });

const DISPOSED = /^model: must not be used after dispose\(\); load it again$/;
const AFTER: Readonly<Record<string, (model: Model) => Promise<unknown>>> = {
  generate: (model) => model.generate({ input_ids: IDS }),
  encode: (model) => model.encode({ input_ids: IDS }),
  forward: (model) => model.forward({ input_ids: IDS, decoder_input_ids: [[96]] }),
  decoder: (model) => model.decoder({ input_ids: IDS }, { max_length: 4 }),
};
for (const [name, call] of Object.entries(AFTER)) {
  test(`refuses ${name} after dispose, with the cure`, async () => {
    const model = await marian();
    model.dispose();
    await refuses(() => call(model), InputError, DISPOSED);
  });
}
test("a model may be disposed twice", async () => {
  const model = await marian();
  model.dispose();
  model.dispose();
});
test("refuses a step of a decoder whose model is disposed", async () => {
  const model = await marian();
  const decoder = await model.decoder({ input_ids: IDS }, { max_length: 4 });
  model.dispose();
  const refused = refuses(() => decoder.step([96]), InputError, DISPOSED);
  await refused.finally(() => decoder.dispose());
});
test("a call in flight when its model is disposed ends well", async () => {
  const model = await load(folder(MARIAN));
  const late = generate(model);
  model.dispose();
  assert.equal((await late).sequences, sequences);
});
test("the memory of a disposed model goes with its last call", async () => {
  const gpu = await device();
  const before = gpu.use();
  const model = await marian();
  const late = generate(model);
  model.dispose();
  await late;
  const after = gpu.use();
  assert.is(after.total - after.staging, before.total - before.staging);
});

// --- abort and concurrency ---

/** A device that calls `tell` with the number of each run of a plan of this name. */
function watched(gpu: Gpu, name: string, tell: (run: number) => void): Gpu {
  let runs = 0;
  return {
    ...gpu,
    async prepare(plan, progress) {
      const prepared = await gpu.prepare(plan, progress);
      const run: typeof prepared.run = (given) => {
        if (plan.name === name) tell(++runs);
        return prepared.run(given);
      };
      return { ...prepared, run };
    },
  };
}

test("a signal that is aborted already ends generate with its reason", () =>
  withModel((model) => refuses(() => generate(model, AbortSignal.abort(new Error("enough"))), Error, /^enough$/)));

const PLACES = [
  ["while the source is encoded", "encode", 1],
  ["between steps", "step", 3],
] as const;
for (const [place, plan, when] of PLACES) {
  const aborted = async (body: (model: Model, failed: Promise<unknown>) => unknown): Promise<void> => {
    const controller = new AbortController();
    const gpu = watched(await device(), plan, (run) => run === when && controller.abort(new Error("enough")));
    const model = await load(folder(MARIAN), { gpu });
    try {
      await body(model, generate(model, controller.signal));
    } finally {
      model.dispose();
    }
  };
  test(`an abort ${place} ends generate with the signal's reason`, () =>
    aborted((_, failed) => refuses(() => failed, Error, /^enough$/)));
  test(`after an abort ${place} the model still gives the right result`, () =>
    aborted(async (model, failed) => {
      await failed.catch(() => {});
      assert.equal((await generate(model)).sequences, sequences);
    }));
}

test("an abort of one call leaves another that runs at the same time alone", () =>
  withModel(async (model) => {
    const controller = new AbortController();
    const failed = generate(model, controller.signal).catch(() => {});
    const other = generate(model);
    controller.abort();
    await failed;
    assert.equal((await other).sequences, sequences);
  }));

test("two calls at once give the rows of one after the other", async () => {
  const model = await load(folder("models/g2p-en"), { gpu: await device() });
  try {
    const { cases } = await readGolden("models/g2p-en");
    const rows = cases[0].inputs.input_ids.slice(0, 4).map((ids) => ids.slice(0, ids.indexOf(0) + 1));
    const batches = [rows.slice(0, 2), rows.slice(2, 4)];
    const calls = batches.map((input_ids) => () => model.generate({ input_ids }, { num_beams: 2, max_new_tokens: 12 }));
    const alone = [await calls[0](), await calls[1]()]; // first, so that there is one idle search for both
    const together = await Promise.all(calls.map((call) => call()));
    assert.equal(
      together.map((result) => result.sequences),
      alone.map((result) => result.sequences),
    );
  } finally {
    model.dispose();
  }
});

test("a call that is refused leaves the model as it was", () =>
  withModel(async (model) => {
    await model.generate({ input_ids: [] }).catch(() => {});
    assert.equal((await generate(model)).sequences, sequences);
  }));
