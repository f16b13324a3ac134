import type { Tokenizer } from "../src/index.js";
import { chunkOf } from "../src/model/speech/chunks.js";
import type { SpeechOptions } from "../src/model/speech/options.js";
import type { Transcript } from "../src/model/speech/transcribe.js";
import { wordsOf } from "../src/model/speech/words.js";
import { assert, readJson, suite } from "./support/harness.js";
import { FOLDER, openWhisper, readCases, type SpeechCase, transcribeTogether } from "./support/speech.js";

const test = suite("speech", {
  chrome: "the pipelines of every checkpoint would take minutes; marian stands for all",
  deno: "a case of speech recognition stands for all",
});

const near = (got: number, want: number, what: string): void =>
  assert.ok(Math.abs(got - want) < 1e-4, `${what}: ${got}, want ${want}`);

// Those of features; speech_recognition.test.ts has those of audio.
const cases = (await readCases()).filter(({ audio }) => !audio.endsWith("speech"));

async function checkCase({ options, generation, expected, ...recording }: SpeechCase): Promise<void> {
  const model = await openWhisper(generation);
  const [{ segments, language, runs }] = await transcribeTogether(model, [recording], options);
  assert.equal(
    segments.map(({ tokens }) => tokens),
    expected.segments.map(({ tokens }) => tokens),
  );
  assert.is(runs, expected.runs);
  const tokenizer = (await model.tokenizer) as Tokenizer;
  const spelling = { tokenizer, end: tokenizer.token_to_id("<|endoftext|>") as number, language };
  const chunks = segments.map((segment) => chunkOf(segment, spelling));
  assert.is(chunks.map((chunk) => chunk?.text ?? "").join(""), expected.text);
  segments.forEach(({ start, end, times }, i) => {
    const want = expected.segments[i];
    near(start, want.start, `start of segment ${i}`);
    near(end, want.end, `end of segment ${i}`);
    // In windows that are padding alone, Transformers counts the frames from the wrong end.
    if (100 * start + 2 > (recording.spoken ?? Infinity)) return;
    assert.equal(chunks[i]?.words ?? [], want.words ?? []);
    want.token_timestamps?.forEach((time, t) => near(times?.[t] ?? NaN, time, `time of token ${t} in segment ${i}`));
  });
}

for (const one of cases) test(one.name, () => checkCase(one));

test("recordings of a batch are transcribed as each is alone, and drop out as they end", async () => {
  const model = await openWhisper();
  const recordings = [{ audio: "longest" }, { audio: "one", spoken: 73 }, { audio: "longer" }];
  for (const options of [
    { language: "en", return_timestamps: "word" },
    { return_timestamps: true, condition_on_prev_tokens: true, num_beams: 2 },
    { return_timestamps: true, temperature: [0, 2e-5], logprob_threshold: -1, no_speech_threshold: 0.3 },
  ] as SpeechOptions[]) {
    const alone: Transcript[] = [];
    for (const recording of recordings) alone.push(...(await transcribeTogether(model, [recording], options)));
    const together = await transcribeTogether(model, recordings, options);
    const plain = (all: readonly Transcript[]): unknown =>
      all.map(({ windows, ...rest }) => ({ ...rest, windows: windows.map(({ start, end }) => [start, end]) }));
    assert.equal(plain(together), plain(alone));
  }
});

test("words are those of Transformers' tokenizer", async () => {
  const tokenizer = (await (await openWhisper()).tokenizer) as Tokenizer;
  const texts = (ids: readonly number[], language: string): string[] =>
    wordsOf(tokenizer, ids, language).map(({ text }) => text);
  const lists = await readJson<[ids: number[], english: string[], chinese: string[]][]>(`${FOLDER}/words.json`);
  for (const [ids, english, chinese] of lists) {
    assert.equal(texts(ids, "en"), english, String(ids));
    assert.equal(texts(ids, "zh"), chinese, String(ids));
  }
  assert.ok(lists.length > 100);
});
