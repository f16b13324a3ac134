import { CheckpointError, type Model } from "../src/index.js";
import { medianFilter, tokenTimes } from "../src/model/speech/alignment.js";
import { compressionRatio, judge } from "../src/model/speech/fallback.js";
import { languageCode } from "../src/model/speech/languages.js";
import { segmentsOf } from "../src/model/speech/segments.js";
import { readWhisperConfig } from "../src/model/speech/whisper_config.js";
import { promptOf } from "../src/model/speech/windows.js";
import { assert, refuses, suite } from "./support/harness.js";

const test = suite("speech rules");

test("languages have codes, names and tokens, in any case", () => {
  const codes = ["en", "de", "zh", "my", "haw", "ht"];
  const named = {
    de: "de",
    GERMAN: "de",
    "<|zh|>": "zh",
    mandarin: "zh",
    Burmese: "my",
    Hawaiian: "haw",
    "haitian creole": "ht",
  };
  for (const [name, code] of Object.entries(named)) assert.is(languageCode(name, codes), code, name);
  for (const name of ["french", "fr", "", "xx", "<||>", "toString"])
    assert.is(languageCode(name, codes), undefined, name);
});

// zlib in Python gives these sizes; a runtime may differ by a few bytes.
for (const [ids, V, bytes, compressed] of [
  [Array<number>(40).fill(7), 126, 40, 12],
  [[...Array(100).keys()], 126, 100, 108],
  [Array.from({ length: 200 }, (_, t) => (t * t * 31) % 51_865), 51_865, 400, 411],
  [Array.from({ length: 100 }, (_, t) => [50_364, 400, 370, 452, 7177][t % 5]), 51_865, 200, 22],
] as const)
  test(`${ids.length} tokens of ${V} compress as zlib does`, async () => {
    const got = bytes / (await compressionRatio(ids, V));
    assert.ok(Math.abs(got - compressed) <= 3, `${got} bytes, want ${compressed}`);
  });

const tokens = [1, 2, 3, 4];
for (const [title, judged, thresholds, verdict] of [
  ["no thresholds", { tokens, logprob: -9, noSpeech: 1 }, {}, "keep"],
  ["a low log-probability", { tokens, logprob: -2 }, { logprob_threshold: -1 }, "retry"],
  ["a high log-probability", { tokens, logprob: -0.5 }, { logprob_threshold: -1 }, "keep"],
  ["silence", { tokens, logprob: -2, noSpeech: 0.7 }, { logprob_threshold: -1, no_speech_threshold: 0.6 }, "skip"],
  [
    "speech that is improbable",
    { tokens, logprob: -2, noSpeech: 0.5 },
    { logprob_threshold: -1, no_speech_threshold: 0.6 },
    "retry",
  ],
  [
    "probable text in silence",
    { tokens, logprob: -0.5, noSpeech: 0.7 },
    { logprob_threshold: -1, no_speech_threshold: 0.6 },
    "keep",
  ],
  ["repetition", { tokens: Array<number>(60).fill(5) }, { compression_ratio_threshold: 2 }, "retry"],
  [
    "repetition in silence",
    { tokens: Array<number>(60).fill(5), logprob: -2, noSpeech: 0.7 },
    { compression_ratio_threshold: 2, logprob_threshold: -1, no_speech_threshold: 0.6 },
    "skip",
  ],
  [
    "thresholds that are off",
    { tokens, logprob: -2, noSpeech: 0.7 },
    { compression_ratio_threshold: null, logprob_threshold: null, no_speech_threshold: null },
    "keep",
  ],
] as const)
  test(`a decoding with ${title}: ${verdict}`, async () => assert.is(await judge(judged, thresholds, 126), verdict));

// Timestamps are the ids from 100 on.
const times = { offset: 10, frames: 300, firstTimestamp: 100 };
for (const [title, ids, spans, advance] of [
  ["one part to the end", [100, 5, 6, 140], [[10, 10.8]], 300],
  ["no timestamp", [5, 6], [[10, 13]], 300],
  ["only a first timestamp", [100, 5, 6], [[10, 13]], 300],
  [
    "a pair in the middle, and an end",
    [100, 5, 120, 120, 6, 150],
    [
      [10, 10.4],
      [10.4, 11],
    ],
    300,
  ],
  ["a pair at the end", [100, 5, 120, 120], [[10, 10.4]], 40],
  ["text after the last pair, which is left", [100, 5, 120, 125, 6], [[10, 10.4]], 40],
  [
    "two pairs",
    [101, 5, 120, 120, 6, 130, 131],
    [
      [10.02, 10.4],
      [10.4, 10.6],
    ],
    60,
  ],
  ["a pair at the beginning, which would not move on", [100, 100], [[10, 10]], 300],
  ["nothing", [], [[10, 13]], 300],
] as const)
  test(`segments: ${title}`, () => {
    const found = segmentsOf(ids, times);
    const round = (time: number): number => Math.round(time * 1e6) / 1e6;
    assert.equal(
      found.segments.map(({ start, end }) => [round(start), round(end)]),
      spans,
    );
    assert.is(found.advance, advance);
    found.segments.forEach(({ tokens, first }) => assert.equal(tokens, ids.slice(first, first + tokens.length)));
  });

const context = {
  prompt: undefined,
  prompt_condition_type: "first-segment",
  previous: 90,
  firstTimestamp: 100,
  P: 20,
} as const;
const prefix = { ids: [80, 81] };
const segments = [{ start: 0, end: 1, tokens: [100, 5, 6, 120, 120], first: 0 }];
const prompt = [90, 7, 8];
for (const [title, begun, given, want] of [
  ["the prefix alone", { segments: [], conditions: true }, context, [80, 81]],
  ["no text unless it is asked for", { segments, conditions: false }, context, [80, 81]],
  [
    "the text before, without the second of two timestamps",
    { segments, conditions: true },
    context,
    [90, 100, 5, 6, 120, 80, 81],
  ],
  ["a prompt", { segments: [], conditions: false }, { ...context, prompt }, [90, 7, 8, 80, 81]],
  [
    "a prompt as the earliest text",
    { segments, conditions: true },
    { ...context, prompt },
    [90, 7, 8, 100, 5, 6, 120, 80, 81],
  ],
  [
    "a prompt before all",
    { segments, conditions: true },
    { ...context, prompt, prompt_condition_type: "all-segments" },
    [90, 7, 8, 100, 5, 6, 120, 80, 81],
  ],
  [
    "the end of a long text",
    { segments: [...segments, ...segments, ...segments], conditions: true },
    context,
    [90, 120, 100, 5, 6, 120, 100, 5, 6, 120, 80, 81],
  ],
] as const)
  test(`before a window: ${title}`, () => assert.equal(promptOf({ prefix, ...begun }, given), want));

test("the median filter mirrors the ends and leaves short rows alone", () => {
  assert.equal([...medianFilter(Float32Array.of(9, 1, 5, 3, 7), 3)], [1, 5, 3, 5, 3]);
  assert.equal([...medianFilter(Float32Array.of(9, 1, 5), 7)], [9, 1, 5]);
  assert.equal([...medianFilter(Float32Array.of(3), 7)], [3]);
});

test("tokens have the times at which attention reaches them", () => {
  const S = 12;
  const reach = [0, 4, 9]; // rows of the encoder that three tokens attend to, after two that were given
  const weights = new Float32Array(5 * S).fill(0.01);
  reach.forEach((s, t) => weights.fill(1, (2 + t) * S + s, (2 + t) * S + (reach[t + 1] ?? S)));
  const alignment = { heads: 1, T: 5, first: 2, kept: S, medianWidth: 1 };
  assert.equal(tokenTimes(weights, alignment), [0, 0.08, 0.18, 0.18]);
  assert.equal(tokenTimes(weights, { ...alignment, first: 5 }), [0]);
  assert.is(tokenTimes(weights, { ...alignment, kept: -3 }).length, 4); // all of it is padding
});

const modelWith = (generationConfig: object): Model =>
  ({
    checkpoint: { config: {}, generationConfig },
    architecture: { V: 200, decoder: { depth: 2, H: 4 } },
  }) as unknown as Model;
const own = { decoder_start_token_id: 5, eos_token_id: [6] };

test("a checkpoint with few fields has no languages and no timestamps", () => {
  const { start, end, languages, firstTimestamp, previous } = readWhisperConfig(
    modelWith({ ...own, suppress_tokens: [1, 2, 3] }),
  );
  assert.equal([start, end, languages, firstTimestamp, previous], [5, 6, undefined, 201, 2]);
});

for (const [fields, message] of [
  [{ decoder_start_token_id: 500 }, /decoder_start_token_id must be a token id from 0 to 199, got 500/],
  [{ eos_token_id: null }, /eos_token_id must be given, found none/],
  [{ lang_to_id: { "<|en|>": "7" } }, /lang_to_id must be token ids by name/],
  [
    { alignment_heads: [[2, 0]] },
    /alignment_heads must be a list of \[layer, head\] within 2 layers of 4 heads, got \[\[2,0\]\]/,
  ],
  [{ alignment_heads: 3 }, /alignment_heads must be a list/],
  [{ forced_decoder_ids: [[2, 5]] }, /forced_decoder_ids must be the tokens of places 1, 2, .../],
  [
    {
      forced_decoder_ids: [
        [1, 5],
        [2, null],
      ],
    },
    /forced_decoder_ids must be/,
  ],
  [{ no_timestamps_token_id: -1 }, /no_timestamps_token_id must be a token id/],
] as const)
  test(`a checkpoint with ${JSON.stringify(fields)} is refused`, () =>
    refuses(() => readWhisperConfig(modelWith({ ...own, ...fields })), CheckpointError, message));
