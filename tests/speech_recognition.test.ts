import {
  CheckpointError,
  InputError,
  OptionError,
  pipeline,
  type Recognition,
  type RecognitionEvent,
  type RecognitionTask,
  WgformerError,
} from "../src/index.js";
import { readAudio } from "../src/model/speech/audio.js";
import { readWav } from "../src/model/speech/wav.js";
import { assert, device, folder, readFile, refuses, suite } from "./support/harness.js";
import { FOLDER, readCases, type SpeechCase } from "./support/speech.js";
import { wav } from "./support/wav.js";

const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };
const everywhere = suite("speech recognition, a recording", CHROME);
const test = suite("speech recognition", { ...CHROME, deno: "one recording stands for all" });

let opened: Promise<RecognitionTask> | undefined;
const open = async (): Promise<RecognitionTask> =>
  (opened ??= pipeline("automatic-speech-recognition", folder(FOLDER), { gpu: await device() }));

const wavFile = async (): Promise<Uint8Array<ArrayBuffer>> => readFile("tests/fixtures/audio/speech.wav");
const speech = async (): Promise<Float32Array> => readWav(await wavFile()).channels[0];
const AUDIO: Readonly<Record<string, () => Promise<Float32Array>>> = {
  speech,
  "a second of speech": async () => (await speech()).slice(16_000, 31_000),
};
const second = AUDIO["a second of speech"];

async function checkCase({ audio, options, expected }: SpeechCase): Promise<void> {
  const transcribe = await open();
  const { text, chunks, language } = await transcribe(await AUDIO[audio](), options);
  const round = (time: number): number => Math.round(time * 100) / 100;
  assert.is(text, expected.text);
  const spoken = expected.segments.filter(({ text }) => text);
  const want = spoken.map(({ start, end, text, words }) => ({
    text,
    timestamp: [round(start), round(end)],
    ...(words && { words }),
  }));
  const timed = options.return_timestamps ?? audio === "speech";
  assert.equal(chunks, timed ? want : undefined);
  assert.is(language, ["en", "de", "zh"][(expected.prefix?.[1] ?? 0) - 66]);
}

const cases = (await readCases()).filter(({ audio }) => audio in AUDIO);
const [first, ...others] = cases;
everywhere(first.name, () => checkCase(first));
for (const one of others) test(one.name, () => checkCase(one));

test("a list gives what each recording gives alone, short and long together", async () => {
  const transcribe = await open();
  const audios = [await second(), (await speech()).slice(8000, 34_000), (await second()).slice(5000)];
  const alone: Recognition[] = [];
  for (const audio of audios) alone.push(await transcribe(audio));
  assert.equal(await transcribe(audios), alone);
  assert.equal(await transcribe(audios, { batch_size: 2 }), alone);
  const languages = ["de", "en", "zh"];
  const spoken = await transcribe(audios, { language: languages, batch_size: 2 });
  assert.equal(
    spoken.map(({ language }) => language),
    languages,
  );
  assert.equal(spoken[2], await transcribe(audios[2], { language: "zh" }));
  assert.equal(await transcribe([]), []);
});

test("a WAV file, its Blob, and samples at another rate are heard alike", async () => {
  const transcribe = await open();
  const raw = await second();
  const want = await transcribe(raw);
  assert.equal(await transcribe(wav(raw)), want);
  assert.equal(await transcribe(new Blob([wav(raw, { bits: 32, codec: 3 })])), want);
  const faster = { raw, sampling_rate: 24_000 };
  assert.equal(await transcribe(faster), await transcribe(await readAudio(faster, 16_000)));
});

test("a stream gives the parts of the result as they are done", async () => {
  const transcribe = await open();
  for (const options of [{}, { num_beams: 3 }, { temperature: [0, 0.5], logprob_threshold: 0, seed: 3 }]) {
    const audios = [(await speech()).slice(0, 30_000), await second()];
    const events: RecognitionEvent[] = [];
    const running = transcribe.stream(audios, options);
    let next = await running.next();
    for (; !next.done; next = await running.next()) events.push(next.value);
    assert.equal(next.value, await transcribe(audios, options));
    next.value.forEach(({ text, chunks }, row) => {
      const final = events.filter((event) => event.row === row && event.final);
      assert.is(final.map(({ text }) => text).join(""), text);
      if (chunks)
        assert.equal(
          final.map(({ timestamp }) => timestamp),
          chunks.map(({ timestamp }) => timestamp),
        );
      const before = events.filter((event) => event.row === row && !event.final);
      assert.ok(before.length > 0 && before.every(({ timestamp }) => timestamp === undefined));
    });
  }
});

test("progress goes up to all seconds of all recordings", async () => {
  const transcribe = await open();
  const seen: number[] = [];
  let last = 0;
  const audios = [await speech(), await second()];
  await transcribe(audios, {
    batch_size: 1,
    progress({ status, loaded, total }) {
      assert.is(status, "progress");
      seen.push(loaded);
      last = total;
    },
  });
  const seconds = audios.reduce((sum, { length }) => sum + length / 16_000, 0);
  assert.ok(seen.length > 3 && seen.every((value, i) => value >= (seen[i - 1] ?? 0)), String(seen));
  assert.ok(Math.abs(last - seconds) < 1e-9 && Math.abs(seen[seen.length - 1] - seconds) < 1e-9);
});

test("an abort ends a transcription and a stream", async () => {
  const transcribe = await open();
  const audio = await speech();
  const controller = new AbortController();
  const call = transcribe(audio, { signal: controller.signal, progress: () => controller.abort(new Error("enough")) });
  await refuses(() => call, Error, /^enough$/);
  const other = new AbortController();
  await refuses(
    async () => {
      for await (const { row } of transcribe.stream(audio, { signal: other.signal }))
        other.abort(new Error(`no ${row}`));
    },
    Error,
    /^no 0$/,
  );
  await refuses(() => transcribe(audio, { signal: AbortSignal.abort(new Error("late")) }), Error, /^late$/);
  assert.ok((await transcribe(await second())).text);
});

test("the best of several results comes first", async () => {
  const transcribe = await open();
  const audio = await second();
  const { text, alternatives = [] } = await transcribe(audio, { num_beams: 4, num_return_sequences: 3 });
  assert.is(alternatives.length, 3);
  assert.is(alternatives[0].text, text);
  assert.is(new Set(alternatives.map(({ text }) => text)).size, 3);
  alternatives.forEach(({ score = NaN, timestamp }, rank) => {
    assert.ok(rank === 0 || score <= (alternatives[rank - 1].score ?? NaN));
    assert.equal(timestamp, [0, 1]);
  });
  assert.equal((await transcribe(audio, { num_beams: 4 })).text, text);
  const long = await transcribe((await speech()).slice(0, 20_000), { num_beams: 2, num_return_sequences: 2 });
  assert.ok((long.alternatives?.length ?? 0) >= 4);
  const again = { temperature: [0, 2e-5], logprob_threshold: 0, num_beams: 2, num_return_sequences: 2, seed: 1 };
  assert.is((await transcribe(audio, again)).alternatives?.length, 2); // of those that were drawn
});

test("drawn tokens are the same for the same seed", async () => {
  const transcribe = await open();
  const audio = await second();
  const draw = async (seed: number): Promise<string> => (await transcribe(audio, { temperature: 1, seed })).text;
  assert.is(await draw(5), await draw(5));
  assert.is.not(await draw(5), await draw(6));
});

test("null switches options off", async () => {
  const transcribe = await open();
  const off = {
    language: null,
    task: null,
    return_timestamps: null,
    prompt_ids: null,
    prompt_condition_type: null,
    condition_on_prev_tokens: null,
    temperature: null,
    compression_ratio_threshold: null,
    logprob_threshold: null,
    no_speech_threshold: null,
    max_length: null,
  };
  assert.equal(await transcribe(await second(), off), await transcribe(await second()));
});

test("a prompt may be its text", async () => {
  const transcribe = await open();
  const audio = await second();
  const { ids } = transcribe.tokenizer.encode(" the word", { add_special_tokens: false });
  const prompt_ids = [transcribe.tokenizer.token_to_id("<|startofprev|>") as number, ...ids];
  assert.equal(await transcribe(audio, { prompt_ids: "the word " }), await transcribe(audio, { prompt_ids }));
  assert.is.not((await transcribe(audio, { prompt_ids })).text, (await transcribe(audio)).text);
});

const REFUSED: readonly (readonly [string, object, RegExp])[] = [
  ["an unknown option", { langage: "en" }, /langage is not supported; did you mean language\?/],
  [
    "an unknown language",
    { language: "Klingon" },
    /speech: language must be one of en, de, zh, or the English name of one, got "Klingon"/,
  ],
  ["a language that the model has not", { language: "french" }, /must be one of en, de, zh/],
  [
    "languages of other recordings",
    { language: ["en", "de"] },
    /must be one for all, or the 1 of the recordings, got 2/,
  ],
  [
    "languages of other recordings in batches",
    { language: ["en", "de"], batch_size: 1 },
    /must be one for all, or the 1 of the recordings, got 2/,
  ],
  ["an unknown task", { task: "sing" }, /speech: task must be one of transcribe, translate, got "sing"/],
  [
    "times of characters",
    { return_timestamps: "char" },
    /return_timestamps must be one of true, false, word, got "char"/,
  ],
  [
    "a long recording without timestamps",
    { return_timestamps: false },
    /must not be false for recordings longer than a window/,
  ],
  ["a negative temperature", { temperature: [0, -1] }, /temperature must be a number of at least 0, or a list of them/],
  ["no temperature", { temperature: [] }, /temperature must be a number of at least 0/],
  ["do_sample", { do_sample: true }, /do_sample is not supported; a temperature above 0 draws tokens/],
  ["forced tokens", { forced_decoder_ids: [[1, 66]] }, /forced_decoder_ids is not supported; give language and task/],
  ["scores that the result has not", { output_scores: true }, /output_scores is not supported/],
  ["another start", { decoder_start_token_id: 5 }, /decoder_start_token_id is not supported/],
  [
    "a threshold of silence alone",
    { no_speech_threshold: 0.5 },
    /no_speech_threshold acts only with logprob_threshold/,
  ],
  ["a threshold that is no number", { logprob_threshold: "low" }, /logprob_threshold must be a number, got "low"/],
  [
    "a prompt before all windows that see no text",
    { prompt_ids: [72, 5], prompt_condition_type: "all-segments" },
    /acts only with condition_on_prev_tokens: true/,
  ],
  [
    "a threshold without another temperature",
    { compression_ratio_threshold: 2 },
    /compression_ratio_threshold acts only with a list of temperatures/,
  ],
  ["a prompt outside the vocabulary", { prompt_ids: [72, 500] }, /prompt_ids must be token ids from 0 to 125, got 500/],
  [
    "a prompt that leaves no room",
    { prompt_ids: Array<number>(40).fill(5) },
    /prompt_ids must leave room for text among 40 positions, got 4[34]/,
  ],
  ["a prompt with special tokens", { prompt_ids: "<|en|>" }, /prompt_ids: must be text without special tokens/],
  ["too many new tokens", { max_new_tokens: 100 }, /max_new_tokens must leave at most 40 positions/],
  ["too many beams", { num_beams: 100 }, /num_beams must be a whole number from 1 to 32, got 100/],
  ["top_k without a temperature", { top_k: 5 }, /top_k acts only with do_sample/],
  ["a batch of none", { batch_size: 0 }, /batch_size must be a whole number of at least 1/],
  ["progress that is no function", { progress: 1 }, /progress must be a function/],
  ["options that are none", [], /options must be an object/],
];

for (const [title, options, message] of REFUSED)
  test(`${title} is refused`, async () => {
    const transcribe = await open();
    await refuses(async () => transcribe(await speech(), options), WgformerError, message);
  });

test("a bad recording in a list is named", async () => {
  const transcribe = await open();
  const audio = await second();
  await refuses(() => transcribe([audio, Float32Array.of(NaN)]), InputError, /^input 1: audio: samples must be finite/);
  await refuses(() => transcribe(new Float32Array()), InputError, /^audio: must have at least one sample/);
  await refuses(() => transcribe(wav([], {})), InputError, /must have at least one sample/);
});

const moonshine = async (): Promise<RecognitionTask> =>
  (trained ??= pipeline("automatic-speech-recognition", folder("models/moonshine-tiny"), { gpu: await device() }));
let trained: Promise<RecognitionTask> | undefined;

test("moonshine hears recordings together as alone, by beams and piece by piece", async () => {
  const transcribe = await moonshine();
  const audios = [await speech(), await readFile("tests/fixtures/audio/coffee.wav")];
  const texts = [
    "The encoder listens and the decoder writes it down.",
    "I would like a cup of coffee and a glass of water.",
  ];
  const seen: number[] = [];
  const running = transcribe.stream(audios, { progress: ({ loaded, total }) => void seen.push(loaded / total) });
  const last: RecognitionEvent[] = [];
  let next = await running.next();
  for (; !next.done; next = await running.next()) {
    const event = next.value;
    assert.ok(event.text.startsWith(last[event.row]?.text ?? ""));
    last[event.row] = event;
  }
  assert.equal(
    next.value,
    texts.map((text) => ({ text })),
  );
  assert.equal(
    last,
    texts.map((text, row) => ({ row, text, final: true })),
  );
  assert.is(seen[seen.length - 1], 1);
  const { text, alternatives = [] } = await transcribe(audios[1], {
    num_beams: 5,
    num_return_sequences: 2,
    temperature: null,
  });
  assert.equal([text, alternatives[0].text, alternatives.length], [texts[1], texts[1], 2]);
  assert.ok((alternatives[0].score ?? NaN) > (alternatives[1].score ?? NaN));
});

for (const [title, options, message] of [
  [
    "timestamps",
    { return_timestamps: true },
    /return_timestamps must be absent, moonshine gives text alone; leave it out, or use a Whisper/,
  ],
  ["a language", { language: "en" }, /language must be absent, moonshine gives text alone/],
  [
    "a list of temperatures",
    { temperature: [0, 0.5] },
    /temperature must be a number of at least 0, moonshine has no thresholds/,
  ],
  ["a negative temperature", { temperature: -1 }, /temperature must be a number of at least 0, .*got -1/],
  ["an unknown option", { num_beam: 3 }, /num_beam is not supported; did you mean num_beams\?/],
] as const)
  test(`moonshine refuses ${title}`, async () => {
    const transcribe = await moonshine();
    await refuses(async () => transcribe(await speech(), options as object), OptionError, message);
  });

test("moonshine refuses recordings that are too short or too long", async () => {
  const transcribe = await moonshine();
  const short = [await speech(), new Float32Array(894)];
  await refuses(
    () => transcribe(short, { batch_size: 1 }),
    InputError,
    /^input 1: audio: must have at least 895 samples/,
  );
  const long = { raw: new Float32Array(800_000), sampling_rate: 8000 };
  await refuses(() => transcribe(long), InputError, /^audio: must have at most 1573375 samples.*, got 1600000; cut it/);
});

test("models that hear nothing are refused", async () => {
  const gpu = await device();
  await refuses(
    () => pipeline("automatic-speech-recognition", folder("tests/fixtures/bert"), { gpu }),
    CheckpointError,
    /tokenizer\.json/,
  );
  await refuses(
    () => pipeline("automatic-speech-recognition", folder("models/g2p-en"), { gpu }),
    CheckpointError,
    /must hear audio, as whisper and moonshine do, got marian/,
  );
});
