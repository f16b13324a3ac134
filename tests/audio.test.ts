import { type AudioInput, readAudio } from "../src/model/speech/audio.js";
import { resample } from "../src/model/speech/resample.js";
import { readWav } from "../src/model/speech/wav.js";
import { InputError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";
import { type Chunk, dataChunk, type Format, formatChunk, riff, wav } from "./support/wav.js";

const test = suite("audio");

// Exact in every format: multiples of 1/128.
const SAMPLES = [0, 0.5, -0.5, 0.9921875, -1, 0.0078125];
const RATE = 16_000;

const read = async (input: AudioInput): Promise<number[]> => [...(await readAudio(input, RATE))];

const FORMATS: Readonly<Record<string, Format>> = {
  "8 bits": { bits: 8 },
  "16 bits": { bits: 16 },
  "24 bits": { bits: 24 },
  "32 bits": { bits: 32 },
  "floats of 32 bits": { codec: 3, bits: 32 },
  "floats of 64 bits": { codec: 3, bits: 64 },
  "16 bits, extensible": { bits: 16, extensible: true },
  "24 bits, extensible": { bits: 24, extensible: true },
  "floats of 32 bits, extensible": { codec: 3, bits: 32, extensible: true },
};

for (const [title, format] of Object.entries(FORMATS)) {
  test(`a WAV file of ${title}`, async () => assert.equal(await read(wav(SAMPLES, format)), SAMPLES));
  test(`a WAV file of ${title} in stereo is averaged`, async () => {
    const pairs = SAMPLES.flatMap((left, t) => [left, t % 2 ? left : 0.25]);
    const want = SAMPLES.map((left, t) => (t % 2 ? left : (left + 0.25) / 2));
    assert.equal(await read(wav(pairs, { ...format, channels: 2 })), want.map(Math.fround));
  });
}

const FORMAT = formatChunk();
const DATA = dataChunk(SAMPLES);
const LIST: Chunk = ["LIST", [73, 78, 70]]; // of odd size

const LAYOUTS: Readonly<Record<string, readonly Chunk[]>> = {
  "chunks before the format": [LIST, FORMAT, DATA],
  "an odd chunk before the data": [FORMAT, LIST, DATA],
  "chunks after the data": [FORMAT, DATA, LIST],
  "the data before the format": [DATA, FORMAT],
  "a second chunk of data, which is not read": [FORMAT, DATA, dataChunk([1])],
  "a stream of unknown length": [FORMAT, ["data", DATA[1], 0xffffffff]],
  "a stream of a recorder of unknown length": [FORMAT, ["data", DATA[1], 0x7ffff024]],
  "a last chunk that is cut off but not needed": [FORMAT, DATA, ["LIST", [1, 2], 900]],
};

for (const [title, chunks] of Object.entries(LAYOUTS))
  test(`a WAV file with ${title}`, async () => assert.equal(await read(riff(chunks)), SAMPLES));

test("a WAV file says its rate, and is read from within a larger buffer", () => {
  const file = wav(SAMPLES, { rate: 44_100, channels: 2 });
  const larger = new Uint8Array(file.length + 7);
  larger.set(file, 3);
  const { channels, sampling_rate } = readWav(larger.subarray(3, 3 + file.length));
  assert.is(sampling_rate, 44_100);
  assert.equal(
    channels.map((channel) => [...channel]),
    [0, 1].map((c) => SAMPLES.filter((_, t) => t % 2 === c)),
  );
});

const samples = Float32Array.from(SAMPLES);
const file = wav(SAMPLES);

const INPUTS: Readonly<Record<string, AudioInput>> = {
  "a Float32Array": samples,
  "a Float64Array": Float64Array.from(SAMPLES),
  "raw samples": { raw: samples, sampling_rate: RATE },
  "an array as data sets have it": { array: samples, sampling_rate: RATE },
  "two equal channels": { raw: [samples, samples], sampling_rate: RATE },
  "an AudioBuffer": { numberOfChannels: 2, sampleRate: RATE, getChannelData: () => samples },
  "an ArrayBuffer": file.buffer,
  "the bytes of a file": file,
  "a Blob": new Blob([file]),
  "a data: URL": `data:audio/wav;base64,${btoa(String.fromCharCode(...file))}`,
};

for (const [title, input] of Object.entries(INPUTS))
  test(`audio may be ${title}`, async () => assert.equal(await read(input), SAMPLES));

test(
  "audio may be a path or a file: URL",
  async () => {
    const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const folder = await mkdtemp(`${tmpdir()}/wgformer-audio-`);
    try {
      await writeFile(`${folder}/speech of today.wav`, file);
      assert.equal(await read(`${folder}/speech of today.wav`), SAMPLES);
      assert.equal(await read(new URL(`file://${folder}/speech of today.wav`)), SAMPLES);
      await refuses(
        () => read(`${folder}/none.wav`),
        InputError,
        /none\.wav" must be a file, found none; check the path/,
      );
      await refuses(() => read(folder), InputError, /must be a file, found none/);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  { chrome: "a page has no file system" },
);

const DECODER = "the runtime has no decoder of audio";
test(
  "a file that the browser cannot decode is refused",
  () => refuses(() => read(Uint8Array.from([1, 2, 3])), InputError, /must be a file that this browser can play/),
  { node: DECODER, deno: DECODER },
);

const data = (list: readonly number[]): Chunk => ["data", [...list]];
const BAD: readonly (readonly [string, () => unknown, RegExp])[] = [
  [
    "mu-law",
    () => riff([formatChunk({ codec: 7, bits: 8 }), data([1])]),
    /must be PCM \(1\) or float \(3\), got 7 \(mu-law\); convert it, as by ffmpeg/,
  ],
  [
    "A-law in an extensible header",
    () => riff([formatChunk({ codec: 6, bits: 8, extensible: true }), data([1])]),
    /got 6 \(A-law\)/,
  ],
  ["an unknown codec", () => riff([formatChunk({ codec: 0x1234 }), data([1, 2])]), /got 4660; convert it/],
  ["64 bits of PCM", () => riff([formatChunk({ bits: 64 }), data([])]), /8, 16, 24 or 32 bits, got 64 for 1 channels/],
  ["floats of 16 bits", () => riff([formatChunk({ codec: 3 }), data([])]), /must have 32 or 64 bits, got 16/],
  ["no channels", () => riff([formatChunk({ channels: 0 }), data([1, 2])]), /got 0 for 0 channels/],
  [
    "data that is cut off",
    () => file.slice(0, -3),
    /chunk "data" must have 12 bytes, the file has 9 of them; it is cut off/,
  ],
  ["half a sample at the end", () => riff([FORMAT, data([1, 2, 3])]), /must be whole samples of 2 bytes, got 3 bytes/],
  ["no format", () => riff([DATA]), /must have a chunk "fmt " of at least 16 bytes/],
  ["a short format", () => riff([["fmt ", [1, 0]], DATA]), /must have a chunk "fmt " of at least 16 bytes/],
  ["no data", () => riff([FORMAT]), /must have a chunk "data", found none/],
  ["an empty recording", () => wav([]), /must have at least one sample, got none/],
  ["a rate of 0", () => wav(SAMPLES, { rate: 0 }), /sampling_rate must be a whole number from 1000 to 768000, got 0/],
  ["no samples", () => new Float32Array(), /must have at least one sample, got none/],
  ["no channels of samples", () => ({ raw: [], sampling_rate: RATE }), /must have at least one sample/],
  ["NaN", () => Float32Array.of(0, NaN), /samples must be finite, got NaN at sample 1; mend or cut/],
  [
    "infinity",
    () => ({ raw: Float32Array.of(1 / 0), sampling_rate: RATE }),
    /must be finite, got Infinity at sample 0/,
  ],
  ["NaN in a WAV file of floats", () => wav([NaN], { codec: 3, bits: 32 }), /must be finite, got NaN/],
  [
    "a rate that is no number",
    () => ({ raw: samples, sampling_rate: "16000" }),
    /sampling_rate must be a whole number .*got "16000"/,
  ],
  ["no rate", () => ({ raw: samples }), /sampling_rate must be a whole number .*got nothing/],
  ["a rate with a fraction", () => ({ raw: samples, sampling_rate: 16000.5 }), /got 16000\.5/],
  [
    "channels of two lengths",
    () => ({ raw: [samples, samples.slice(1)], sampling_rate: RATE }),
    /of one length, got 6 and 5/,
  ],
  [
    "whole numbers as floats",
    () => Float32Array.of(0, -300),
    /must be from -1 to 1, got -300 at sample 1; divide whole numbers/,
  ],
  ["whole numbers", () => Int16Array.of(5), /must be a Float32Array, .*whole numbers are divided by their largest/],
  ["a list of numbers", () => ({ raw: [0.5], sampling_rate: RATE }), /must be a Float32Array, .*got \[0\.5\]/],
  ["a number", () => 5, /must be a Float32Array, .*got 5/],
  ["nothing", () => undefined, /must be a Float32Array, .*got nothing/],
];

for (const [title, input, message] of BAD)
  test(`${title} is refused`, () => refuses(() => read(input() as AudioInput), InputError, message));

const begins = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text.padEnd(16, "x"), (c) => c.charCodeAt(0));
for (const [name, begin] of Object.entries({ FLAC: "fLaC", Ogg: "OggS", MP3: "ID3", MP4: "\0\0\0 ftyp", AIFF: "FORM" }))
  test(
    `${name} is refused with the cure where the runtime has no decoder`,
    () =>
      refuses(
        () => read(begins(begin)),
        InputError,
        new RegExp(`must be a WAV file, got ${name}; convert it, as by ffmpeg -i IN -ac 1 -ar 16000 OUT.wav`),
      ),
    { chrome: "a browser has one" },
  );
test("an empty file is refused", () => refuses(() => read(new Uint8Array()), InputError, /got an empty file/), {
  chrome: "its decoder says it in its own words",
});

/** A tone of `hertz`, `rate` samples a second. */
const tone = (hertz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: rate * seconds }, (_, t) => Math.sin((2 * Math.PI * hertz * t) / rate));

/** The largest difference of two signals away from their ends, where they are cut. */
const gap = (a: Float32Array, b: Float32Array): number =>
  a.slice(200, -200).reduce((most, value, t) => Math.max(most, Math.abs(value - b[t + 200])), 0);

for (const from of [8000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 16_001]) {
  test(`a tone at ${from} Hz is the same tone at 16000 Hz`, () => {
    const resampled = resample(tone(440, from, 0.25), from, RATE);
    assert.is(resampled.length, Math.ceil((Math.floor(from * 0.25) * RATE) / from));
    assert.ok(gap(resampled, tone(440, RATE, 0.25)) < 4e-3, String(gap(resampled, tone(440, RATE, 0.25))));
  });
  if (from > 2 * RATE)
    test(`a tone of 12000 Hz at ${from} Hz is gone at 16000 Hz`, () => {
      const resampled = resample(tone(12_000, from, 0.25), from, RATE);
      assert.ok(gap(resampled, new Float32Array(resampled.length)) < 4e-3);
    });
}

// Made with the formula of torchaudio.functional.resample in float64 (tests/oracle/resample.py).
const REFERENCE = [
  [
    24000,
    16000,
    [
      0.0019357, 0.2255802, 0.7635464, 0.9483758, -0.5439059, -0.4239009, 0.6459315, -0.4856188, 0.2989068, -0.1688246,
      0.084055, -0.0221033, -0.025427, 0.0394865, 0.0477545, -0.3600754,
    ],
  ],
  [44100, 16000, [-0.0661743, 0.7964164, 0.0412487, -0.1320262, 0.0803284, -0.0368575, 0.0076488, 0.01785, -0.0974564]],
  [
    8000,
    16000,
    [
      -0.0001745, 0.0277429, 0.0997663, 0.220547, 0.3896946, 0.5871525, 0.7835819, 0.9427729, 0.9988225, 0.8942664,
      0.5985957, 0.1162105, -0.441067, -0.872907, -0.9850549, -0.6325594, 0.1182712, 0.8304601, 0.9717365, 0.3859882,
      -0.5521155, -1.0398774, -0.4336664, 0.7318391, 0.9419121, -0.1561411, -0.8981436, -0.182132, 0.6452157, 0.2075406,
      -0.4472924, -0.0433741, 0.410051, -0.1532408, -0.5472423, 0.2255599, 0.7991162, -0.0242424, -0.9733944,
      -0.4944384, 0.7283267, 1.0269488, 0.1242223, -0.8649414, -0.9549612, -0.2121436, 0.4779162, 0.449727,
    ],
  ],
] satisfies [number, number, number[]][];
for (const [from, to, want] of REFERENCE)
  test(`samples from ${from} to ${to} Hz are those of torchaudio`, () => {
    const given = Float32Array.from({ length: 24 }, (_, t) => Math.sin(t * t * 0.1));
    const got = resample(given, from, to);
    assert.is(got.length, want.length);
    got.forEach((value, t) => assert.ok(Math.abs(value - want[t]) < 1e-6, `sample ${t}: ${value}, want ${want[t]}`));
  });

test("a recording keeps its samples at its own rate", () => assert.equal([...resample(samples, RATE, RATE)], SAMPLES));
