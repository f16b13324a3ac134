import {
  CheckpointError,
  defaultTask,
  type FeatureTask,
  InputError,
  openCheckpoint,
  OptionError,
  pipeline,
} from "../src/index.js";
import { assert, device, folder, readJson, refuses, suite } from "./support/harness.js";
import { fixture, LETTERS, TOKENIZER } from "./support/letters.js";

const test = suite("tasks of encoders");
const close = (got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void => {
  assert.is(got.length, want.length);
  const worst = Math.max(...Array.from(want, (value, i) => Math.abs(value - got[i])));
  assert.ok(worst <= tolerance, `${worst} off`);
};

test("labels B- and I- join words to entities, and O is left out", async () => {
  const config = await readJson<Record<string, unknown>>("tests/fixtures/bert-token-classifier/config.json");
  const names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-X", "I-X"];
  const source = fixture("bert-token-classifier", { "config.json": { ...config, id2label: { ...names } } });
  const tag = await pipeline("token-classification", source, { gpu: await device() });
  const text = "ab cd ef gh ij kl mn op qr st uv wx yz";
  const words = (await tag(text, { aggregation_strategy: "average", ignore_labels: [] })).entities;
  assert.ok(words.every(({ word, start, end }) => text.slice(start, end) === word));
  assert.ok(words.every(({ entity }) => ["O", "PER", "LOC", "X"].includes(entity)));
  assert.is(words.map(({ word }) => word).join(" "), text);
  assert.equal(
    (await tag(text, { aggregation_strategy: "average" })).entities,
    words.filter(({ entity }) => entity !== "O"),
  );
  tag.dispose();
});

test("feature extraction pools by first state, mean and maximum, and normalises", async () => {
  const extract = await pipeline("feature-extraction", fixture("bert"), { gpu: await device() });
  const texts = ["one two three", "four", "five six seven eight nine ten"];
  const plain = await extract(texts);
  for (const [b, { states, token_ids }] of plain.entries()) {
    assert.equal(states?.dims, [token_ids.length, 64]);
    const [T, D] = states!.dims;
    const column = (d: number): number[] => Array.from({ length: T }, (_, t) => states!.data[t * D + d]);
    const means = Array.from({ length: D }, (_, d) => column(d).reduce((a, c) => a + c) / T);
    const length = Math.hypot(...means);
    close((await extract(texts[b], { pooling: "cls" })).embedding!, states!.data.slice(0, D), 0);
    close(
      (await extract(texts[b], { pooling: "max" })).embedding!,
      Array.from({ length: D }, (_, d) => Math.max(...column(d))),
      0,
    );
    close((await extract(texts, { pooling: "mean" }))[b].embedding!, means, 1e-6);
    close(
      (await extract(texts, { pooling: "mean", normalize: true }))[b].embedding!,
      means.map((mean) => mean / length),
      1e-6,
    );
  }
  extract.dispose();
});

test("a sentence-transformers folder says how to pool", async () => {
  const files = {
    "modules.json": [
      { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
      { idx: 2, name: "2", path: "2_Normalize", type: "sentence_transformers.models.Normalize" },
    ],
    "1_Pooling/config.json": {
      word_embedding_dimension: 64,
      pooling_mode_cls_token: false,
      pooling_mode_mean_tokens: true,
      pooling_mode_max_tokens: false,
    },
    "sentence_bert_config.json": { max_seq_length: 12, do_lower_case: false },
  };
  const gpu = await device();
  const extract = await pipeline("feature-extraction", fixture("bert", files), { gpu });
  const { embedding } = await extract("one two");
  close(embedding!, (await extract("one two", { pooling: "mean", normalize: true })).embedding!, 0);
  close([Math.hypot(...embedding!)], [1], 1e-6);
  const { token_ids, truncated } = await extract("abcdefghij klmnop", {});
  assert.equal([token_ids.length, truncated], [12, 6]);
  extract.dispose();
  const dense = {
    ...files,
    "modules.json": [...files["modules.json"], { type: "sentence_transformers.models.Dense", path: "3_Dense" }],
  };
  await refuses(
    () => pipeline("feature-extraction", fixture("bert", dense), { gpu }),
    CheckpointError,
    /modules must be Transformer, Pooling, any Dense and Normalize in this order, got Transformer, Pooling, Normalize, Dense/,
  );
  const both = { ...files, "1_Pooling/config.json": { pooling_mode_cls_token: true, pooling_mode_max_tokens: true } };
  await refuses(
    () => pipeline("feature-extraction", fixture("bert", both), { gpu }),
    CheckpointError,
    /pooling must be one of cls, mean, max, lasttoken, .*, got .*cls_token, pooling_mode_max_tokens/,
  );
});

test("text classification gives the best label or all, by softmax or sigmoid as the config says, for texts and pairs", async () => {
  const gpu = await device();
  const config = await readJson<Record<string, unknown>>("tests/fixtures/bert-sequence-classifier/config.json");
  const classify = await pipeline("text-classification", fixture("bert-sequence-classifier"), { gpu });
  const pair = { text: "one two", text_pair: "three four five" };
  const [best, all] = [await classify(pair), await classify(pair, { top_k: null })];
  assert.is(all.labels.length, 3);
  assert.equal(best.labels, all.labels.slice(0, 1));
  close([all.labels.reduce((sum, { score }) => sum + score, 0)], [1], 1e-6);
  const raw = await classify(pair, { top_k: null, function_to_apply: "none" });
  const ids = (text: string): number[] =>
    [...text.replace(/ /g, "")].map((_, i, letters) => 5 + LETTERS.indexOf(letters[i]));
  const word = (text: string): number[] =>
    text.split(" ").flatMap((one) => ids(one).map((id, i) => (i ? id + 26 : id)));
  const rows = [2, ...word("one two"), 3, ...word("three four five"), 3];
  const types = rows.map((_, t) => (t <= word("one two").length + 1 ? 0 : 1));
  const { logits } = await classify.model.forward({ input_ids: [rows], token_type_ids: [types] });
  assert.equal(
    raw.labels.map(({ score }) => score),
    [...logits!.data].sort((a, b) => b - a),
  );
  const multi = await pipeline(
    "text-classification",
    fixture("bert-sequence-classifier", { "config.json": { ...config, problem_type: "multi_label_classification" } }),
    { gpu },
  );
  const sigmoids = await multi(pair, { top_k: 2 });
  close(
    sigmoids.labels.map(({ score }) => score),
    raw.labels.slice(0, 2).map(({ score }) => 1 / (1 + Math.exp(-score))),
    1e-6,
  );
  classify.dispose();
  multi.dispose();
});

test("texts that are too long are shortened, the longer of a pair first, and results say by how much", async () => {
  const classify = await pipeline("feature-extraction", fixture("bert"), { gpu: await device() });
  const long = "a b c d e f g h i j";
  const read = async (text: string, text_pair: string | undefined, max_length: number) =>
    await classify(text_pair ? { text, text_pair } : text, { max_length });
  assert.equal((await read(long, undefined, 12)).truncated, 0);
  assert.equal((await read(long, undefined, 11)).truncated, 1);
  assert.equal((await read(long, undefined, 5)).token_ids, [2, 5, 6, 7, 3]);
  assert.equal((await read("a b", long, 9)).token_ids, [2, 5, 6, 3, 5, 6, 7, 8, 3]);
  assert.equal((await read(long, "a b", 9)).token_ids, [2, 5, 6, 7, 8, 3, 5, 6, 3]);
  assert.equal((await read(long, long, 10)).token_ids, [2, 5, 6, 7, 3, 5, 6, 7, 8, 3]);
  assert.equal((await classify("a ".repeat(200))).truncated, 122); // to the model's 80 positions
  await refuses(
    () => classify("a ".repeat(200), { truncation: false }),
    InputError,
    /must have at most 80 tokens with special ones, got 202; shorten it, or pass truncation: true/,
  );
  await refuses(
    () => read("a", "b", 4),
    InputError,
    /must have at most 4 tokens with special ones, got 5; shorten it or raise max_length/,
  );
  classify.dispose();
});

test("a list of any lengths gives what each text gives alone, in order, whatever the batches", async () => {
  const extract = await pipeline("feature-extraction", fixture("roberta"), { gpu: await device() });
  const texts = Array.from({ length: 23 }, (_, i) => LETTERS.slice(0, 1 + ((i * 7) % 19)).join(" "));
  const together = await extract(texts, { pooling: "mean" });
  const batches: number[] = [];
  const apart = await extract(texts, {
    pooling: "mean",
    batch_tokens: 40,
    progress: ({ loaded }) => batches.push(loaded),
  });
  assert.ok(batches.length > 5 && batches[batches.length - 1] === 23);
  for (const [index, text] of texts.entries()) {
    const alone = await extract(text, { pooling: "mean" });
    assert.equal(apart[index], alone);
    assert.equal(together[index], alone);
  }
  assert.equal(await extract([]), []);
  extract.dispose();
});

test("a signal ends the work between batches, and what ran before it is not told", async () => {
  const gpu = await device();
  const extract = await pipeline("feature-extraction", fixture("distilbert"), { gpu });
  const stop = new AbortController();
  let calls = 0;
  const work = extract(
    Array.from({ length: 40 }, () => "a b c"),
    {
      batch_tokens: 10,
      signal: stop.signal,
      progress: () => {
        if (++calls === 2) stop.abort(new Error("enough"));
      },
    },
  );
  await refuses(() => work, Error, /enough/);
  assert.ok(calls < 10);
  await refuses(() => extract("a", { signal: AbortSignal.abort(new Error("before")) }), Error, /before/);
  assert.is((await extract("a b")).states?.dims[0], 4);
  extract.dispose();
});

test("a checkpoint that is open is not opened again", async () => {
  const asked: string[] = [];
  const files = fixture("bert-token-classifier");
  const checkpoint = await openCheckpoint(async (name) => {
    asked.push(name);
    return files(name);
  });
  assert.is(await defaultTask(checkpoint), "token-classification");
  const tag = await pipeline("token-classification", checkpoint, { gpu: await device() });
  assert.is((await tag("a b", { ignore_labels: [] })).entities.length, 2);
  for (const name of ["config.json", "model.safetensors"])
    assert.is(asked.filter((own) => own === name).length, 1, name);
  tag.dispose();
});

const single = (...ids: readonly string[]) =>
  ids.map((id) => (id === "A" || id === "B" ? { Sequence: { id, type_id: 0 } } : { SpecialToken: { id, type_id: 0 } }));

test("special tokens stand where the tokenizer puts them, whatever the text says", async () => {
  const gpu = await device();
  const read = async (post_processor: unknown, text: string, text_pair?: string): Promise<readonly number[]> => {
    const files = { "tokenizer.json": { ...TOKENIZER, post_processor } };
    const extract: FeatureTask = await pipeline("feature-extraction", fixture("bert", files), { gpu });
    try {
      return (await extract(text_pair ? { text, text_pair } : text)).token_ids;
    } finally {
      extract.dispose();
    }
  };
  const { post_processor: plain } = TOKENIZER;
  const odd = {
    ...plain,
    single: single("A", "[SEP]"),
    pair: single("[CLS]", "[CLS]", "A", "B", "[SEP]", "[SEP]"),
  };
  assert.equal(await read(plain, "[CLS]"), [2, 2, 3]);
  assert.equal(await read(plain, "[SEP] a", "[CLS]"), [2, 3, 5, 3, 2, 3]);
  assert.equal(await read(odd, "a b"), [5, 6, 3]);
  assert.equal(await read(odd, "c", "d"), [2, 2, 7, 8, 3, 3]);
  assert.equal(await read(null, "c", "d"), [7, 8]);
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  assert.equal(await read(bytes, "c", "d"), [7, 8]);
  assert.equal(await read({ type: "Sequence", processors: [bytes, plain] }, "c", "d"), [2, 7, 3, 8, 3]);
  assert.equal(
    await read({ type: "RobertaProcessing", cls: ["[CLS]", 2], sep: ["[SEP]", 3] }, "c", "d"),
    [2, 7, 3, 3, 8, 3],
  );
  assert.equal(await read({ type: "BertProcessing", cls: ["[CLS]", 2], sep: ["[SEP]", 3] }, "c", "d"), [2, 7, 3, 8, 3]);
});

test("refuses what it does not know", async () => {
  const gpu = await device();
  const extract = await pipeline("feature-extraction", fixture("bert"), { gpu });
  await refuses(
    () => extract("a", { polling: "mean" } as never),
    OptionError,
    /feature-extraction: polling is not supported; did you mean pooling\?/,
  );
  await refuses(
    () => extract("a", { pooling: "sum" as never }),
    OptionError,
    /pooling must be one of cls, mean, max, .*weightedmean, none, got "sum"/,
  );
  await refuses(() => extract("a", { normalize: true }), OptionError, /normalize must be false without pooling/);
  await refuses(
    () => extract("a", { max_length: 81 }),
    OptionError,
    /max_length must be a whole number from 1 to 80, got 81/,
  );
  await refuses(
    () => extract("a", { batch_tokens: 0 }),
    OptionError,
    /batch_tokens must be a whole number of at least 1/,
  );
  await refuses(() => extract(7 as never), InputError, /^feature-extraction: text: must be a string, got 7$/);
  await refuses(() => extract({ text: "a", text_pair: 5 as never }), InputError, /text_pair: must be a string, got 5/);
  await refuses(
    () => pipeline("token-classification", fixture("bert"), { gpu }),
    CheckpointError,
    /must have been saved with a classifier of tokens, got \["BertModel"\] of bert; it is for feature-extraction/,
  );
  await refuses(
    () => pipeline("text-classification", fixture("bert-token-classifier"), { gpu }),
    CheckpointError,
    /a classifier of sequences, got .*; it is for token-classification/,
  );
  await refuses(
    () => pipeline("feature-extraction", folder("models/g2p-en"), { gpu }),
    CheckpointError,
    /an encoder or a decoder, not both, got .* of \w+; it is for text2text/,
  );
  await refuses(
    () => pipeline("table-question-answering" as never, fixture("bert"), { gpu }),
    OptionError,
    /task must be one of .*token-classification, .*got "table-question-answering"/,
  );
  const tag = await pipeline("token-classification", fixture("bert-token-classifier"), { gpu });
  await refuses(
    () => tag("a", { aggregation_strategy: "simple" as never }),
    OptionError,
    /aggregation_strategy must be one of none, first, average, max, got "simple"/,
  );
  await refuses(() => tag({ words: ["a", " "] }), InputError, /words that are not empty/);
  extract.dispose();
  tag.dispose();
});
