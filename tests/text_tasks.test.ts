import { CheckpointError, InputError, load, OptionError, pipeline } from "../src/index.js";
import { assert, device, folder, readFile, readJson, refuses, suite } from "./support/harness.js";
import { fixture, TOKENIZER } from "./support/letters.js";

const test = suite("texts of tasks");

/** What Transformers gives, greedily: 3 tokens after the prompt as it stands, and 6 tokens alone. */
const CONTINUED = [
  ["He said it .\n", " was a good", " was a good deal of the"],
  ["Hello , world . It 's", "s the same", "s the same way of the"],
  ["  The jury said", ', "I', ", \"I don't know"],
  ["\n", ". The first", ". The first time, the"],
  [" ", ". The first", ". The first time is the"],
  ["The jury said ", '. "I', ". \"I don't know"],
  ['He said: "no" ', '. "I', '. "I am not a'],
  ["It 's n't .", " I'm not", " I'm not a good thing"],
  ["", "The Bible", "The Bible is the most"],
] as const;

test("a prompt comes back as it was given, and what follows it keeps its spaces", async () => {
  const write = await pipeline("text-generation", folder("models/gpt2-brown"), { gpu: await device() });
  const prompts = CONTINUED.map(([prompt]) => prompt);
  const full = await write(prompts, { max_new_tokens: 3 });
  const tail = await write(prompts, { max_new_tokens: 6, return_full_text: false });
  for (const [index, [prompt, three, six]] of CONTINUED.entries()) {
    assert.is(full[index][0].generated_text, prompt + three, JSON.stringify(prompt));
    assert.is(tail[index][0].generated_text, six, JSON.stringify(prompt));
    let text = "";
    for await (const piece of write.stream(prompt, { max_new_tokens: 6 })) text += piece.text;
    assert.is(text, six, JSON.stringify(prompt));
  }
  write.dispose();
});

test("streamed pieces add up, half a character at the end included", async () => {
  const model = await load(folder("models/gpt2-brown"), { gpu: await device() });
  const tokenizer = (await model.tokenizer)!;
  assert.is(await model.tokenizer, tokenizer);
  const forced = tokenizer.encode(" it 's good \u{1f600}").ids;
  const force = (ids: readonly number[]) => ({
    max_new_tokens: ids.length,
    eos_token_id: 1,
    logits_processor: ([row]: readonly number[][], [scores]: readonly Float32Array[]) =>
      void scores.fill(-1e9).fill(0, ids[row.length - 1], ids[row.length - 1] + 1),
  });
  for (const ids of [forced, forced.slice(0, -1), forced.slice(0, -2)]) {
    let text = "";
    for await (const piece of model.stream({ input_ids: [[0]] }, force(ids))) text += piece.text;
    assert.is(text, tokenizer.decode(ids));
  }
  model.dispose();
});

/** What Transformers generates after a prompt until a stop string. */
const STOPPED = [
  ["The jury said", "said,", [12]],
  ["The jury said", ".", [12, 343, 41, 1286, 544, 778, 643, 322, 1801, 1354, 287, 476, 450]],
  ["The jury said", ", ", [12, 343]],
  ["The jury said", "jury said, ", [12, 343]],
] as const;

test("a stop string ends a row at the token that completes it, wherever it begins", async () => {
  const model = await load(folder("models/gpt2-brown"), { gpu: await device() });
  const tokenizer = (await model.tokenizer)!;
  for (const [prompt, stop_strings, wanted] of STOPPED) {
    const { ids } = tokenizer.encode(prompt);
    const { sequences } = await model.generate({ input_ids: [ids] }, { max_new_tokens: 30, stop_strings });
    assert.equal(sequences[0].slice(ids.length), wanted, stop_strings);
  }
  for (const stop_strings of ["said", "jury"]) {
    const { ids } = tokenizer.encode("The jury said"); // in the prompt alone: no new token completes it
    const { sequences } = await model.generate({ input_ids: [ids] }, { max_new_tokens: 4, stop_strings });
    assert.is(sequences[0].length, ids.length + 4, stop_strings);
  }
  model.dispose();
});

test("a stop string that ends in white space is found at its own token", async () => {
  const model = await load(folder("models/gpt2-brown"), { gpu: await device() });
  const tokenizer = (await model.tokenizer)!;
  const ids = tokenizer.encode(" it was.\n\n The end").ids;
  const logits_processor = ([row]: readonly number[][], [scores]: readonly Float32Array[]) =>
    void scores.fill(-1e9).fill(0, ids[row.length - 1], ids[row.length - 1] + 1);
  const options = { max_new_tokens: ids.length, eos_token_id: 1, stop_strings: ["\n"], logits_processor };
  const { sequences } = await model.generate({ input_ids: [[0]] }, options);
  assert.equal(sequences[0].slice(1), ids.slice(0, ids.findIndex((id) => tokenizer.decode([id]).includes("\n")) + 1));
  model.dispose();
});

test("segments are those of the model's table: RoBERTa has one", async () => {
  const extract = await pipeline("feature-extraction", fixture("roberta"), { gpu: await device() });
  const { token_ids, states } = await extract({ text: "a b", text_pair: "c d e" });
  assert.equal(token_ids, [2, 5, 6, 3, 7, 8, 9, 3]);
  const { last_hidden_state } = await extract.model.forward({ input_ids: [token_ids] });
  assert.equal(states!.data, last_hidden_state!.data);
  extract.dispose();
  const files = { "tokenizer_config.json": { unk_token: "[UNK]", model_input_names: ["input_ids", "attention_mask"] } };
  const plain = await pipeline("feature-extraction", fixture("bert", files), { gpu: await device() });
  const own = await plain({ text: "a b", text_pair: "c" });
  const zeros = await plain.model.forward({ input_ids: [own.token_ids] });
  assert.equal(own.states!.data, zeros.last_hidden_state!.data);
  plain.dispose();
});

const HOLE = Object.assign(Array<string>(2), { 1: "a" }); // a list without its first item

test("a bad input is refused by name, and in a list by its index", async () => {
  const gpu = await device();
  const classify = await pipeline("text-classification", fixture("bert-sequence-classifier"), { gpu });
  const tag = await pipeline("token-classification", fixture("bert-token-classifier"), { gpu });
  const extract = await pipeline("feature-extraction", fixture("bert"), { gpu });
  const write = await pipeline("text-generation", folder("models/gpt2-brown"), { gpu });
  for (const [name, task] of Object.entries({
    "text-classification": classify,
    "feature-extraction": extract,
    "token-classification": tag,
    "text-generation": write,
  })) {
    const call = task as unknown as (input: unknown, options?: unknown) => Promise<unknown>;
    for (const bad of [null, undefined, 5, {}, true, Symbol("a"), 5n]) {
      await refuses(() => call(bad), InputError, new RegExp(`^${name}: text: must be a string`));
      await refuses(() => call(["a", bad]), InputError, new RegExp(`^${name}: input 1: text: must be a string`));
    }
    await refuses(() => call(HOLE), InputError, /input 0: text: must be a string/);
    for (const options of [null, 5, "a"])
      await refuses(() => call("a", options), OptionError, new RegExp(`^${name}: options must be an object`));
    assert.equal(await call([]), []);
  }
  for (const bad of [{ text: 5 }, { text: "a", text_pair: null }, { text: "a", pair: "b" }, ["a", "b"]])
    await refuses(() => classify([bad as never]), InputError, /^text-classification: input 0: text/);
  for (const words of [null, 5, ["a", 5], ["a", ""], HOLE, {}])
    // eslint-disable-line no-sparse-arrays
    await refuses(() => tag({ words } as never), InputError, /words that are not empty/);
  await refuses(() => tag({ words: ["a"], text: "b" } as never), InputError, /words that are not empty, got .*text/);
  for (const ignore_labels of [null, "O", [5], HOLE])
    await refuses(() => tag("a", { ignore_labels } as never), OptionError, /ignore_labels must be a list of labels/);
  await refuses(
    () => write("a", { clean_up_tokenization_spaces: true }),
    OptionError,
    /^text-generation: clean_up_tokenization_spaces must be absent, gpt2 has no encoder; leave it out$/,
  );
  await refuses(
    () => write(["a", "the boat ".repeat(200)]),
    InputError,
    /^text-generation: input 1: text: must have at most 256 tokens with special ones, got \d+; shorten it, or pass truncation: true$/,
  );
  const long = "a ".repeat(500_000);
  const { message } = (await extract(long, { truncation: false }).catch((error: unknown) => error)) as Error;
  assert.ok(message.length < 300, message.slice(0, 300));
  for (const task of [classify, tag, extract, write]) task.dispose();
});

test("an empty text is its special tokens, and refused where there are none", async () => {
  const gpu = await device();
  const extract = await pipeline("feature-extraction", fixture("bert"), { gpu });
  for (const text of ["", " ", "\n\t"]) assert.equal((await extract(text)).token_ids, [2, 3]);
  extract.dispose();
  const tag = await pipeline("token-classification", fixture("bert-token-classifier"), { gpu });
  assert.equal((await tag("")).entities, []);
  assert.equal((await tag(" ", { aggregation_strategy: "first" })).entities, []);
  tag.dispose();
  const bare = fixture("bert", { "tokenizer.json": { ...TOKENIZER, post_processor: null } });
  const plain = await pipeline("feature-extraction", bare, { gpu });
  await refuses(() => plain(["a", ""]), InputError, /feature-extraction: input 1: text: must give at least one token/);
  plain.dispose();
  const speak = await pipeline("text2text", folder("models/g2p-en"), { gpu });
  await refuses(() => speak(["cat", "caté"]), InputError, /input 1: text: "caté" .*"é" is not in it/);
  assert.is((await speak("caté", { allow_unknown: true })).length, 1);
  speak.dispose();
});

test("a sentence-transformers folder may have prompts, lower case, and a pooling without a file", async () => {
  const gpu = await device();
  const lowerless = { ...TOKENIZER, normalizer: { ...TOKENIZER.normalizer, lowercase: false } };
  const files = {
    "tokenizer.json": lowerless,
    "modules.json": [
      { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ],
    "sentence_bert_config.json": { max_seq_length: null, do_lower_case: true },
    "config_sentence_transformers.json": { prompts: { query: "q: ", other: "O " }, default_prompt_name: "query" },
  };
  const extract = await pipeline("feature-extraction", fixture("bert", files), { gpu });
  const { token_ids, embedding } = await extract("A b");
  assert.equal(token_ids, extract.tokenizer.encode("q: a b").ids);
  assert.equal(embedding, (await extract("A b", { pooling: "mean" })).embedding);
  assert.equal((await extract("A b", { prompt_name: null })).token_ids, extract.tokenizer.encode("a b").ids);
  assert.equal((await extract("A b", { prompt_name: "other" })).token_ids, extract.tokenizer.encode("o a b").ids);
  await refuses(
    () => extract("a", { prompt_name: "none" }),
    OptionError,
    /prompt_name must be one of .*query, other, got "none"/,
  );
  extract.dispose();
  const wrong = { ...files, "config_sentence_transformers.json": { default_prompt_name: "query" } };
  await refuses(
    () => pipeline("feature-extraction", fixture("bert", wrong), { gpu }),
    CheckpointError,
    /default_prompt_name must be one of prompts, got "query"/,
  );
});

test("the tokenizer of a model is read when it is asked for, and may be absent", async () => {
  const asked: string[] = [];
  const model = await load(
    async (name) => {
      asked.push(name);
      const files = ["config.json", "model.safetensors"];
      return files.includes(name) ? readFile(`tests/fixtures/bert/${name}`) : undefined;
    },
    { gpu: await device() },
  );
  assert.not.ok(asked.includes("tokenizer.json"));
  assert.is(await model.tokenizer, undefined);
  assert.ok(asked.includes("tokenizer.json"));
  model.dispose();
});

test("stop strings without a tokenizer are refused", async () => {
  const source = async (name: string) =>
    ["config.json", "model.safetensors", "generation_config.json"].includes(name)
      ? readFile(`tests/fixtures/gpt2/${name}`)
      : undefined;
  const model = await load(source, { gpu: await device() });
  const options = { max_new_tokens: 2, stop_strings: ["a"] };
  await refuses(() => model.generate({ input_ids: [[5]] }, options), CheckpointError, /must hold tokenizer.json/);
  await refuses(() => model.stream({ input_ids: [[5]] }, options).next(), CheckpointError, /must hold tokenizer.json/);
  model.dispose();
});

test("tokenizer files as people have them are read, and broken ones refused as such", async () => {
  const gpu = await device();
  const read = async (definition: unknown, config: unknown, text: string) => {
    const files = { "tokenizer.json": definition, "tokenizer_config.json": config };
    const extract = await pipeline("feature-extraction", fixture("bert", files), { gpu });
    try {
      const encoding = extract.tokenizer.encode(text);
      const { token_ids } = await extract(text);
      return { ...encoding, token_ids, decoded: extract.tokenizer.decode(token_ids) };
    } finally {
      extract.dispose();
    }
  };
  const object = await read(TOKENIZER, { unk_token: { __type: "AddedToken", content: "[UNK]" } }, "a é ß");
  assert.is(object.unknown, 1);
  assert.is((await read({ ...TOKENIZER, decoder: null }, {}, "ab")).decoded, "[CLS] a ##b [SEP]");
  for (const model_max_length of [null, -1, 1e30, 0, "512", undefined])
    assert.is((await read(TOKENIZER, { model_max_length }, "a b c")).token_ids.length, 5, String(model_max_length));
  const text = "a b c d";
  assert.equal((await read(TOKENIZER, { model_max_length: 4 }, text)).token_ids, [2, 5, 6, 3]);
  assert.equal((await read(TOKENIZER, { model_max_length: 4, truncation_side: "left" }, text)).token_ids, [2, 7, 8, 3]);
  const left = { ...TOKENIZER, truncation: { direction: "Left", max_length: 3, strategy: "LongestFirst", stride: 0 } };
  assert.equal((await read(left, { model_max_length: 4 }, text)).token_ids, [2, 7, 8, 3]);
  const ends = { bos_token: "[MASK]", eos_token: { content: "[SEP]" }, add_bos_token: true, add_eos_token: true };
  assert.equal((await read(TOKENIZER, ends, "a")).token_ids, [2, 5, 3]); // tokenizer.json's template counts
  const { added_tokens: _, ...bare } = TOKENIZER;
  assert.equal((await read(bare, { sep_token: "[SEP]" }, "a[SEP]b")).token_ids, [2, 5, 3, 6, 3]);

  const broken = [
    { ...TOKENIZER, model: { ...TOKENIZER.model, vocab: { "[UNK]": "1", a: 2 } } },
    { ...TOKENIZER, model: { type: "Other" } },
    { ...TOKENIZER, model: { type: "BPE", vocab: { a: 1 } } },
    { ...TOKENIZER, model: undefined },
    { ...TOKENIZER, added_tokens: [{ id: 1 }] },
    { ...TOKENIZER, added_tokens: 5 },
    { ...TOKENIZER, normalizer: { type: "Other" } },
    { ...TOKENIZER, pre_tokenizer: { type: "Split", pattern: { Regex: "(" } } },
    { ...TOKENIZER, post_processor: { type: "TemplateProcessing", single: [{}], pair: [] } },
    { ...TOKENIZER, post_processor: { type: "BertProcessing", cls: ["[CLS]", null], sep: ["[SEP]", 3] } },
    { ...TOKENIZER, post_processor: { ...TOKENIZER.post_processor, single: [{ Sequence: { id: "A", type_id: -1 } }] } },
    { ...TOKENIZER, post_processor: { ...TOKENIZER.post_processor, special_tokens: { "[CLS]": { ids: ["2"] } } } },
    { ...TOKENIZER, pre_tokenizer: { type: "Split", pattern: {} } },
    { ...TOKENIZER, decoder: { type: "Sequence" } },
  ];
  for (const definition of broken)
    await refuses(
      () => read(definition, {}, "a"),
      CheckpointError,
      /tokenizer.json: must be a tokenizer of Hugging Face/,
    );
  const speechless = { ...TOKENIZER, model: { ...TOKENIZER.model, unk_token: "none" } };
  await refuses(
    () => read({ ...speechless, model: { ...speechless.model, vocab: { "[CLS]": 2, "[SEP]": 3 } } }, {}, "É"),
    InputError,
    /got "e"; the tokenizer has no token for what it does not know/,
  );
});

test("an id that the model has not is refused, whatever the tokenizer says", async () => {
  const definition = { ...TOKENIZER, model: { ...TOKENIZER.model, vocab: { ...TOKENIZER.model.vocab, a: 999 } } };
  const extract = await pipeline("feature-extraction", fixture("bert", { "tokenizer.json": definition }), {
    gpu: await device(),
  });
  await refuses(() => extract("b a", { pooling: "mean" }), InputError, /999/);
  extract.dispose();
});

test("the gpt2-brown tokenizer follows the places of everyday text", async () => {
  const { tokenizer, dispose } = await pipeline("text-generation", folder("models/gpt2-brown"), {
    gpu: await device(),
  });
  const golden = await readJson<{ cases: unknown[] }>("models/gpt2-brown/golden.json");
  assert.ok(golden.cases.length);
  for (const text of ["It costs €100 today.", "Hi 👍🏽 there.", "cafe\u0301  x\n"]) {
    const { ids, offsets } = tokenizer.encode(text);
    assert.is(tokenizer.decode(ids), text);
    for (const [start, end] of offsets) assert.ok(0 <= start && start <= end && end <= text.length);
  }
  dispose();
});
