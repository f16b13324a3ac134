import {
  countLaunches,
  type HostTensor,
  InputError,
  load,
  type Model,
  OptionError,
  samplePlans,
} from "../src/index.js";
import { checkCheckpoint, openModel } from "./support/checkpoint.js";
import { readTensors } from "./support/golden.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

/** Why Chrome leaves a model out. */
const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };
const WHISPER = "tests/fixtures/whisper";

await checkCheckpoint(WHISPER, undefined, CHROME);
await checkCheckpoint("tests/fixtures/whisper-distil", undefined, { ...CHROME, deno: "whisper stands for its kin" });

const laws = suite("laws of Whisper", CHROME);
const features = async (): Promise<HostTensor> =>
  (await readTensors(`${WHISPER}/golden.safetensors`))("input_features");

/** Row b of a batch, as a batch of its own. */
const rowOf = ({ dims: [B, ...rest], data }: HostTensor, b: number): HostTensor => {
  const size = data.length / B;
  return { dims: [1, ...rest], data: data.slice(b * size, (b + 1) * size) };
};

laws("a row of a batch is what it is alone: states, tokens, n-best and scores", async () => {
  const m = await openModel(WHISPER);
  const all = await features();
  const options = { num_beams: 3, num_return_sequences: 2, max_new_tokens: 8 };
  const [states, found] = [await m.encode({ input_features: all }), await m.generate({ input_features: all }, options)];
  for (const b of [0, 1, 2]) {
    const input_features = rowOf(all, b);
    assert.equal((await m.encode({ input_features })).last_hidden_state, rowOf(states.last_hidden_state, b));
    const solo = await m.generate({ input_features }, options);
    assert.equal(solo.sequences, found.sequences.slice(2 * b, 2 * b + 2));
    solo.sequences_scores?.forEach((score, i) => {
      const batched = found.sequences_scores?.[2 * b + i] ?? NaN;
      assert.ok(Math.abs(score - batched) < 1e-5);
    });
  }
});

laws("lists of lists are what the tensor is", async () => {
  const m = await openModel(WHISPER);
  const { dims, data } = rowOf(await features(), 0);
  const bands = Array.from({ length: 80 }, (_, c) => [...data.subarray(100 * c, 100 * (c + 1))]);
  const want = (await m.encode({ input_features: { dims, data } })).last_hidden_state;
  const plain = { dims, data: [...data] } as never;
  for (const input_features of [[bands], [bands.map((band) => Float32Array.from(band))], plain])
    assert.equal((await m.encode({ input_features })).last_hidden_state, want);
});

laws("hidden states and attentions on request, the last states among them", async () => {
  const m = await openModel(WHISPER);
  const options = { output_hidden_states: true, output_attentions: true };
  const output = await m.encode({ input_features: rowOf(await features(), 1) }, options);
  const { hidden_states = [], attentions = [], last_hidden_state } = output;
  assert.equal([hidden_states.length, attentions.length], [3, 2]);
  for (const { dims } of hidden_states) assert.equal(dims, [1, 50, 64]);
  assert.equal(hidden_states[2], last_hidden_state);
  for (const { dims } of attentions) assert.equal(dims, [1, 4, 50, 50]);
});

laws("the caller's own loop, a stream and the whole loop give the same tokens", async () => {
  const m = await openModel(WHISPER);
  const input_features = await features();
  const max_new_tokens = 6;
  const { sequences } = await m.generate({ input_features }, { max_new_tokens });
  const streamed: number[][] = [[3], [3], [3]];
  for await (const { row, token_ids } of m.stream({ input_features }, { max_new_tokens }))
    streamed[row].push(...token_ids);
  assert.equal(streamed, sequences);
  const decoder = await m.decoder({ input_features }, { max_length: 8 });
  let fed = [3, 3, 3];
  const looped = fed.map((id) => [id]);
  for (let step = 0; step < max_new_tokens; step++) {
    const { dims, data } = await decoder.step(fed);
    fed = fed.map((_, r) => {
      const own = data.subarray(r * dims[1], (r + 1) * dims[1]);
      return own.indexOf(Math.max(...own));
    });
    fed.forEach((id, r) => looped[r].push(id));
  }
  decoder.dispose();
  assert.equal(looped, sequences);
});

laws("states of its encoder stand for the signals, and scores are those of what it generates", async () => {
  const m = await openModel(WHISPER);
  const input_features = await features();
  const { last_hidden_state } = await m.encode({ input_features });
  const options = { max_new_tokens: 5, output_scores: true };
  const want = await m.generate({ input_features }, options);
  const got = await m.generate({ encoder_outputs: { last_hidden_state } }, options);
  assert.equal(got.sequences, want.sequences);
  const scores = await m.score(
    { input_features },
    want.sequences.map((row) => row.slice(1)),
  );
  assert.ok(scores.flat().every((score, i) => Math.abs(score - (want.token_scores?.flat()[i] ?? NaN)) < 1e-4));
  const both = { input_features, encoder_outputs: { last_hidden_state } };
  await refuses(() => m.generate(both), InputError, /input_features: must be absent with encoder_outputs/);
});

laws("launches: four of the stem, eight a layer of a step where norms ride in the layers behind them", async () => {
  const m = await openModel(WHISPER);
  await m.run(async (core) => {
    const architecture = { ...core.architecture, normInLinear: true };
    const [stem, encoder, , step] = (await samplePlans({ ...core, architecture }, 2)).map(({ plan }) => plan);
    assert.equal([countLaunches(stem), countLaunches(encoder, "encoder.layers.1")], [4, 5]);
    assert.is(countLaunches(step, "decoder.layers.1"), 8);
  });
});

for (const [dtype, most] of [
  ["f16", 5e-3],
  ["bf16", 5e-2],
  ["int8", 5e-2],
] as const)
  laws(`${dtype}: states within ${most} of f32, relative to the largest`, async () => {
    const input_features = await features();
    const [plain, small] = [await openModel(WHISPER), await load(folder(WHISPER), { gpu: await device(), dtype })];
    const states = async (m: Model): Promise<Float32Array> =>
      (await m.encode({ input_features })).last_hidden_state.data;
    const [want, got] = [await states(plain), await states(small)];
    small.dispose();
    const scale = want.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    const error = want.reduce((worst, value, i) => Math.max(worst, Math.abs(value - got[i])), 0) / scale;
    assert.ok(error < most && error > 0, `${error} off`);
  });

const refusals = suite("what Whisper cannot hear", CHROME);
const zeros = (...dims: number[]): HostTensor => ({
  dims,
  data: new Float32Array(dims.reduce((product, size) => product * size, 1)),
});
const bad = (at: number, value: number): HostTensor => {
  const one = zeros(2, 80, 100);
  one.data[at] = value;
  return one;
};
const WRONG: readonly (readonly [string, object, RegExp])[] = [
  ["no features", {}, /^input_features: must be a tensor .* or lists of lists, at least one row, got nothing$/],
  ["token ids", { input_ids: [[5]] }, /^input_ids: must be absent, whisper reads signals; give input_features$/],
  ["samples", { input_values: [[0.5]] }, /^input_values: must be absent, whisper reads signals; give input_features$/],
  [
    "a mask",
    { input_features: zeros(1, 80, 100), attention_mask: [Array(100).fill(1)] },
    /^attention_mask: must be absent, whisper hears all frames; leave it out$/,
  ],
  ["too few frames", { input_features: zeros(1, 80, 99) }, /row 0 must have exactly 100 frames, got 99; pad it as the/],
  ["too many frames", { input_features: zeros(1, 80, 101) }, /must have exactly 100 frames, got 101; split or shorten/],
  ["frames before bands", { input_features: zeros(1, 100, 80) }, /row 0 must have 80 mel bands of equal length, got 100/],
  ["other bands", { input_features: zeros(2, 128, 100) }, /must have 80 mel bands .* got 128; its dims are \[B,80,frames\]$/],
  ["two dimensions", { input_features: zeros(80, 100) }, /must be a tensor \{ dims, data \} of 3 dimensions/],
  ["dims that are not those of the data", { input_features: { dims: [1, 80, 100], data: new Float32Array(3) } }, /of 3 dim/],
  ["no data", { input_features: { dims: [1, 80, 100] } }, /must be a tensor/],
  ["a text", { input_features: "hello" }, /must be a tensor .* got "hello"$/],
  ["an empty batch", { input_features: [] }, /at least one row, got \[\]$/],
  ["rows that are no lists", { input_features: [5] }, /row 0 must have 80 mel bands of equal length, got 5/],
  ["bands of several lengths", { input_features: [Array.from({ length: 80 }, (_, c) => Array(100 - (c % 2)).fill(0))] }, /of equal length/],
  ["NaN", { input_features: bad(9000, NaN) }, /^input_features: must be finite, row 1 has other values; mend them$/],
  ["an infinite number", { input_features: bad(3, -Infinity) }, /must be finite, row 0 has/],
  ["null among numbers", { input_features: [Array.from({ length: 80 }, () => Array(100).fill(null))] }, /must be finite, row 0/],
]; // prettier-ignore
for (const [title, inputs, message] of WRONG)
  refusals(`refuses ${title}`, async () => {
    const m = await openModel(WHISPER);
    for (const call of [
      () => m.encode(inputs),
      () => m.generate(inputs, { max_new_tokens: 2 }),
      () => m.forward({ ...inputs, decoder_input_ids: [[3]] }),
      () => m.decoder(inputs, { max_length: 2 }),
    ])
      await refuses(call, InputError, message);
  });

refusals("a model of texts refuses signals, and another number of targets than of signals is refused", async () => {
  const marian = await openModel("tests/fixtures/marian");
  const given = { input_ids: [[5, 0]], input_features: zeros(1, 80, 100) };
  await refuses(
    () => marian.encode(given),
    InputError,
    /^input_features: must be absent, marian reads no signals; give/,
  );
  const m = await openModel(WHISPER);
  const targets = { input_features: zeros(2, 80, 100), decoder_input_ids: [[3]] };
  await refuses(() => m.forward(targets), InputError, /^decoder_input_ids: must have the 2 rows of/);
  const call = () => m.generate({ input_features: zeros(1, 80, 100) }, { max_length: 100 });
  await refuses(call, OptionError, /max_length/);
});
