import type { Checkpoint, Json } from "../src/model/checkpoint/checkpoint.js";
import { type FeatureExtractor, readFeatureExtractor } from "../src/model/speech/feature_extractor.js";
import { logMelSpectrum } from "../src/model/speech/log_mel.js";
import { CheckpointError, InputError } from "../src/runtime/errors.js";
import { openModel } from "./support/checkpoint.js";
import { readTensors } from "./support/golden.js";
import { assert, device, readFile, readJson, refuses, suite } from "./support/harness.js";

const test = suite("log-mel spectra", { chrome: "the kernels have tests of their own there" });

interface Case {
  readonly name: string;
  readonly signal: keyof typeof SIGNALS;
  readonly config: Json;
  readonly padding: "max_length" | "longest";
  readonly frames: number;
  /** The frames that the reference has. */
  readonly kept: readonly number[];
}

const SIGNALS = {
  noise() {
    let state = 7;
    return Float32Array.from({ length: 40000 }, () => {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      return (state / 2 ** 32 - 0.5) / 2;
    });
  },
  sweep: () =>
    Float32Array.from({ length: 160000 }, (_, i) => {
      const t = i / 16000;
      return 0.8 * Math.sin(2 * Math.PI * (20 * t + 399 * t * t));
    }),
  async speech() {
    const bytes = await readFile("tests/fixtures/audio/speech.wav");
    return Float32Array.from(new Int16Array(bytes.slice(44).buffer), (value) => value / 32768);
  },
};

const openExtractor = async (files: Readonly<Record<string, Json>>): Promise<FeatureExtractor | undefined> =>
  readFeatureExtractor({ label: "folder", json: async (name: string) => files[name] } as Checkpoint);

const { cases } = await readJson<{ cases: Case[] }>("tests/fixtures/audio/log_mel.json");
const expected = await readTensors("tests/fixtures/audio/log_mel.safetensors");

for (const { name, signal, config, padding, frames, kept } of cases)
  test(`${name}: as Transformers' feature extractor`, async () => {
    const extractor = (await openExtractor({ "preprocessor_config.json": config })) as FeatureExtractor;
    const samples = await SIGNALS[signal]();
    const whole = padding === "max_length" ? { frames: extractor.window } : {};
    const spectrum = await logMelSpectrum({ gpu: await device() }, extractor, samples, whole);
    const { dims, data } = await spectrum.read();
    spectrum.dispose();
    const want = expected(name);
    const C = extractor.feature_size;
    assert.equal(
      [dims, want.dims],
      [
        [1, C, frames],
        [kept.length, C],
      ],
    );
    const errors = kept.flatMap((frame, i) =>
      Array.from({ length: C }, (_, c) => Math.abs(data[c * frames + frame] - want.data[i * C + c])),
    );
    const worst = Math.max(...errors);
    assert.ok(worst < 1e-4, `must be within 1e-4, is ${worst} off`); // measured: 2.3e-5 for the sweep, else 2e-6
  });

/** One second of 80 bands, as the fixture hears it. */
const SECOND = { chunk_length: 1 };
const second = async (): Promise<FeatureExtractor> =>
  (await openExtractor({ "preprocessor_config.json": SECOND })) as FeatureExtractor;

test("a long recording in passes is what its parts are", async () => {
  const extractor = await second();
  const noise = SIGNALS.noise();
  const long = Float32Array.from({ length: 35 * 16000 }, (_, i) => noise[i % noise.length]);
  const gpu = await device();
  const whole = await logMelSpectrum({ gpu }, extractor, long);
  const part = await logMelSpectrum({ gpu }, extractor, long.subarray(16 * 16000, 20 * 16000));
  const [all, some] = [await whole.read(), await part.read()];
  [whole, part].forEach((spectrum) => spectrum.dispose());
  assert.equal(
    [all.dims, some.dims],
    [
      [1, 80, 3500],
      [1, 80, 400],
    ],
  );
  for (let c = 0; c < 80; c++)
    for (let t = 2; t < 398; t++) {
      const error = Math.abs(all.data[c * 3500 + 1600 + t] - some.data[c * 400 + t]);
      assert.ok(error < 1e-5, `frame ${t} of band ${c} is ${error} off`);
    }
});

test("spectra go from the device into the model, and past a recording there are zeros", async () => {
  const extractor = await second();
  const gpu = await device();
  const model = await openModel("tests/fixtures/whisper");
  const samples = await SIGNALS.speech();
  const one = await logMelSpectrum({ gpu }, extractor, samples);
  const two = await logMelSpectrum({ gpu }, extractor, SIGNALS.noise(), { frames: 100 });
  const { dims, data } = await one.read();
  const onHost = { dims: [1, 80, 100], data: new Float32Array(8000) };
  for (let c = 0; c < 80; c++) onHost.data.set(data.subarray(c * dims[2] + 300, (c + 1) * dims[2]), c * 100);
  const { last_hidden_state: want } = await model.encode({ input_features: onHost });
  const { last_hidden_state: got } = await model.encode({ input_features: [one.window(300), two.window(0)] });
  assert.equal(got.dims, [2, 50, 64]);
  assert.equal(got.data.subarray(0, 3200), want.data);
  const { last_hidden_state: alone } = await model.encode({ input_features: two.window(0) });
  assert.equal(got.data.subarray(3200), alone.data);
  const late = () => model.encode({ input_features: one.window(400) });
  await refuses(late, InputError, /^input_features: row 0 must lie within \d+ frames, got 100 from 400 on; begin/);
  one.dispose();
  two.dispose();
  await refuses(
    () => model.encode({ input_features: two.window(0) }),
    InputError,
    /must be on the device of the model/,
  );
});

test("gives its memory back, also when it is stopped", async () => {
  const [extractor, gpu] = [await second(), await device()];
  const held = (): number => gpu.use().total - gpu.use().staging;
  const before = held();
  const spectrum = await logMelSpectrum({ gpu }, extractor, SIGNALS.noise());
  await spectrum.read();
  spectrum.dispose();
  assert.is(held(), before);
  const stopped = new AbortController();
  stopped.abort(new Error("enough"));
  await refuses(
    () => logMelSpectrum({ gpu }, extractor, SIGNALS.noise(), { signal: stopped.signal }),
    Error,
    /^enough$/,
  );
  assert.is(held(), before);
});

test("refuses samples that are not finite or too few", async () => {
  const [extractor, gpu] = [await second(), await device()];
  const make = (samples: Float32Array) => () => logMelSpectrum({ gpu }, extractor, samples);
  await refuses(make(Float32Array.of(1, NaN)), InputError, /^audio: samples must be finite, sample 1 is NaN; mend it$/);
  await refuses(
    make(new Float32Array(200)),
    InputError,
    /^audio: must have at least 201 samples, got 200; add silence$/,
  );
});

test("reads the extractor where it is, with the defaults of its class", async () => {
  const defaults = { sampling_rate: 16000, feature_size: 80, n_fft: 400, hop_length: 160, window: 3000 };
  assert.equal(await openExtractor({ "preprocessor_config.json": {} }), defaults);
  const nested = { feature_extractor: { feature_size: 128, feature_extractor_type: "WhisperFeatureExtractor" } };
  assert.equal(await openExtractor({ "processor_config.json": nested }), { ...defaults, feature_size: 128 });
  assert.is(await openExtractor({}), undefined);
  const wrong: readonly (readonly [Json, RegExp])[] = [
    [
      { feature_extractor_type: "ClapFeatureExtractor" },
      /must be WhisperFeatureExtractor, got "ClapFeatureExtractor"$/,
    ],
    [{ dither: 0.1 }, /^folder\/preprocessor_config\.json: dither must be 0: noise is not supported, got 0.1$/],
    [{ do_normalize: true }, /do_normalize must be false, got true$/],
    [{ feature_size: 1e9 }, /feature_size must be at most 1024, got 1000000000$/],
    [{ n_fft: 100 }, /hop_length must be at most 100, got 160$/],
    [{ hop_length: 0 }, /hop_length must be a whole number above 0, got 0$/],
  ];
  for (const [config, message] of wrong)
    await refuses(() => openExtractor({ "preprocessor_config.json": config }), CheckpointError, message);
});
