import { gpu as openGpu, load, type Model } from "../src/index.js";
import { readWav } from "../src/model/speech/wav.js";
import { InputError } from "../src/runtime/errors.js";
import { checkCheckpoint, openModel } from "./support/checkpoint.js";
import { changes } from "./support/changed.js";
import { readGolden } from "./support/golden.js";
import { assert, device, folder, readFile, readJson, refuses, suite } from "./support/harness.js";

/** Why Chrome leaves a model out. */
const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };
const NODE = { ...CHROME, deno: "the laws of recordings stand for all" };
const TINY = "tests/fixtures/moonshine";

await checkCheckpoint(TINY, undefined, NODE);

const wave = (samples: number): Float32Array => Float32Array.from({ length: samples }, (_, i) => Math.sin(i * i));
const laws = suite("moonshine, recordings", CHROME);

laws("what a mask leaves out is not heard, before or after", async () => {
  const { generate } = await openModel(TINY);
  const [long, short] = [wave(2500), wave(1700)];
  const alone = await generate({ input_values: [long, short] }, { max_new_tokens: 8 });
  for (const left of [0, 300, 800]) {
    const padded = new Float32Array(2500).fill(7);
    padded.set(short, left);
    const mask = padded.map((_, i) => Number(i >= left && i < left + 1700));
    const inputs = { input_values: [long, padded], attention_mask: [long.map(() => 1), mask] };
    assert.equal((await generate(inputs, { max_new_tokens: 8 })).sequences, alone.sequences);
  }
});

laws("a recording gives in a batch what it gives alone", async () => {
  const { encode } = await openModel(TINY);
  const recordings = [895, 2000, 1300, 5000].map(wave);
  const together = (await encode({ input_values: recordings })).last_hidden_state;
  for (const [b, recording] of recordings.entries()) {
    const { dims, data } = (await encode({ input_values: [recording] })).last_hidden_state;
    const at = b * together.dims[1] * together.dims[2];
    const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - together.data[at + i])), 0);
    assert.ok(worst < 5e-6, `recording ${b} of ${dims[1]} rows is ${worst} off`);
  }
});

laws("wrong recordings are refused", async () => {
  const { generate } = await openModel(TINY);
  const cases: readonly (readonly [input: object, message: RegExp])[] = [
    [{ input_values: [wave(894)] }, /input_values: row 0 must have 895 to 1573375 frames, got 894; pad it/],
    [{ input_values: [[]] }, /input_values: row 0 must have 895 to/],
    [{ input_values: [wave(2000).fill(NaN, 9, 10)] }, /input_values: must be finite, row 0 has other values/],
    [{ input_ids: [[1, 2]] }, /input_ids: must be absent, moonshine reads signals; give input_values/],
  ];
  for (const [input, message] of cases) await refuses(() => generate(input), InputError, message);
});

laws("in variants for GPUs the tokens are the same", async () => {
  const gpu = await openGpu({ adapter: "gpu", guard: true });
  const m = await load(folder(TINY), { gpu });
  const { cases } = await readGolden(TINY);
  for (const title of ["greedy", "4 beams"]) {
    const { inputs, options, expected } = cases.find(({ name }) => name === title)!;
    assert.equal((await m.generate(inputs, options)).sequences, expected.sequences);
  }
  m.dispose();
  gpu.dispose();
});

const { same, refusesChange } = changes(suite("moonshine, checkpoints as people have them", NODE));
const zeros = (shape: number[]) => ({ shape, dtype: "F32" as const, data: new Uint8Array(4 * shape[0]) });

same("biases of attention, which are zero", "moonshine", (tensors, config) => {
  config.attention_bias = true;
  for (const name of Object.keys(tensors))
    if (/[qkv]_proj\.weight$/.test(name)) tensors[name.replace("weight", "bias")] = zeros([32]);
});
same("an untied head, which is the same", "moonshine", (tensors, config) => {
  config.tie_word_embeddings = false;
  tensors["proj_out.weight"] = tensors["model.decoder.embed_tokens.weight"];
});
same("rotations as Transformers 4 wrote them", "moonshine", (_, config) => {
  delete config.rope_parameters;
  Object.assign(config, { rope_theta: 10000, partial_rotary_factor: 0.9, rope_scaling: null });
});
refusesChange(
  "other heads in the decoder",
  "moonshine",
  (_, config) => void (config.decoder_num_attention_heads = 4),
  /config.json: decoder_num_attention_heads must be encoder_num_attention_heads=2, got 4/,
);
refusesChange(
  "groups of heads",
  "moonshine",
  (_, config) => void (config.encoder_num_key_value_heads = 1),
  /encoder_num_key_value_heads must be encoder_num_attention_heads=2, got 1/,
);
refusesChange(
  "stretched rotations",
  "moonshine",
  (_, config) => void (config.rope_parameters = { rope_type: "linear", factor: 2, rope_theta: 10000 }),
  /rope_type must be default, got "linear"/,
);

interface Recording {
  readonly greedy: number[];
  readonly beams: number[];
  readonly steps: readonly { readonly ids: number[]; readonly logits: number[]; readonly exact: number[] }[];
}

const TEXTS = {
  jfk: "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country.",
  coffee: "I would like a cup of coffee and a glass of water.",
  train: "The train will leave the station in ten minutes.",
};

const trained = suite("models/moonshine-tiny", NODE);
let loading: Promise<Model> | undefined;
const model = async (): Promise<Model> => (loading ??= load(folder("models/moonshine-tiny"), { gpu: await device() }));
const reference = readJson<{ recordings: Record<string, Recording> }>("tests/fixtures/moonshine-tiny.json");
const read = async (name: string): Promise<Float32Array> =>
  readWav(await readFile(`tests/fixtures/audio/${name}.wav`)).channels[0];

for (const [name, text] of Object.entries(TEXTS)) {
  trained(`${name}: the text of onnxruntime, with 1 and with 5 beams`, async () => {
    const { generate, tokenizer } = await model();
    const { greedy, beams } = (await reference).recordings[name];
    const input_values = [await read(name)];
    assert.equal((await generate({ input_values })).sequences, [greedy]);
    assert.equal((await generate({ input_values }, { num_beams: 5 })).sequences, [beams]);
    assert.is((await tokenizer)?.decode(greedy, { skip_special_tokens: true }), text);
  });
}

trained("coffee: the logits of Transformers, and those of onnxruntime within the error of its int8", async () => {
  const { forward } = await model();
  const { greedy, steps } = (await reference).recordings.coffee;
  const { logits } = await forward({ input_values: [await read("coffee")], decoder_input_ids: [greedy.slice(0, -1)] });
  assert.ok(logits);
  let [exact, int8] = [0, 0];
  for (const [t, { ids, ...want }] of steps.entries())
    for (const [i, id] of ids.entries()) {
      const got = logits.data[t * logits.dims[2] + id];
      exact = Math.max(exact, Math.abs(got - want.exact[i]));
      int8 = Math.max(int8, Math.abs(got - want.logits[i]));
    }
  assert.ok(exact < 1e-3, `must be within 1e-3 of Transformers, got ${exact}`);
  assert.ok(int8 < 1, `must be within 1 of onnxruntime, got ${int8}`); // Transformers is 0.9 off too: activations are int8 there
});

trained("int8 and f32 give the same text", async () => {
  const { greedy } = (await reference).recordings.coffee;
  const input_values = [await read("coffee")];
  for (const dtype of ["int8", "f32"] as const) {
    const m = await load(folder("models/moonshine-tiny"), { gpu: await device(), dtype });
    assert.equal((await m.generate({ input_values })).sequences, [greedy]);
    m.dispose();
  }
});
