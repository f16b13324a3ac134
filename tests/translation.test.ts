import {
  defaultTask,
  type GenerateOptions,
  InputError,
  openCheckpoint,
  OptionError,
  pipeline,
  type TextTask,
} from "../src/index.js";
import { readTokenizer } from "../src/model/text/tokenizer.js";
import { assert, device, folder, readFile, readJson, refuses, suite } from "./support/harness.js";

const test = suite("translation and summarization", {
  chrome: "the pipelines of every checkpoint would take minutes; marian stands for all",
  deno: "what the host does with texts is the same in Node",
});

type Json = Readonly<Record<string, unknown>>;

/** What Transformers gives with one tokenizer (tests/oracle/languages.py). */
interface Reference {
  readonly task: "translation" | "summarization";
  /** The reference that has its tokenizer.json. */
  readonly like: string | null;
  readonly files: Json;
  readonly config: Json;
  readonly generation_config: Json;
  readonly cases: readonly {
    readonly text: string;
    readonly src_lang?: string;
    readonly tgt_lang?: string;
    readonly input_ids: number[];
    readonly options: GenerateOptions;
    readonly token_ids: number[][];
    readonly texts: string[];
    readonly scores?: number[];
  }[];
}

const FOLDER = "tests/fixtures/languages";
const NAMES = ["nllb", "nllb-legacy", "mbart", "mbart50", "m2m_100", "marian", "t5", "t5-summarization"];

const reference = (name: string): Promise<Reference> => readJson(`${FOLDER}/${name}.json`);

/** The checkpoint of a reference, with files or fields of config.json that replace its own. */
async function source(name: string, files: Json = {}, fields: Json = {}) {
  const { like, files: own, config, generation_config } = await reference(name);
  const base = await readJson<Json>(`${FOLDER}/config.json`);
  const all: Json = {
    ...(like ? (await reference(like)).files : {}),
    ...own,
    "config.json": { ...base, ...config, ...fields },
    "generation_config.json": generation_config,
    ...files,
  };
  return async (file: string) => {
    if (Object.hasOwn(all, file))
      return all[file] === undefined ? undefined : new TextEncoder().encode(JSON.stringify(all[file]));
    return file === "model.safetensors" ? readFile(`${FOLDER}/${file}`) : undefined;
  };
}

const open = async (
  name: string,
  task: "translation" | "summarization" = "translation",
  files: Json = {},
  fields: Json = {},
) =>
  (await pipeline(task, await source(name, files, fields), { gpu: await device() })) as TextTask<
    "translation_text" | "summary_text"
  >;

const close = (got: number | undefined, want: number | undefined): void =>
  assert.ok(got === want || Math.abs((got ?? NaN) - (want ?? NaN)) < 1e-4, `score must be ${want}, got ${got}`);

for (const name of NAMES)
  test(`${name}: ids, tokens, texts and scores are those of Transformers, each text alone and all together`, async () => {
    const { task, cases } = await reference(name);
    const run = await open(name, task);
    const key = task === "translation" ? "translation_text" : "summary_text";
    for (const { text, src_lang, tgt_lang, input_ids, options, token_ids, texts, scores } of cases) {
      const prefix = name.startsWith("t5") || name === "marian";
      if (!prefix) assert.equal(run.tokenizer.encode(text, { src_lang }).ids, input_ids);
      const results = await run(text, { src_lang, tgt_lang, allow_unknown: true, ...options });
      assert.equal(
        results.map((result) => result.token_ids),
        token_ids,
        text,
      );
      // The slow tokenizers of M2M100 and Marian take white space off both ends.
      const slow = name === "m2m_100" || name === "marian";
      assert.equal(
        results.map((result) => (slow ? result[key].trim() : result[key])),
        texts,
      );
      results.forEach(({ score }, rank) => close(score, scores?.[rank]));
    }
    for (const options of [cases[0].options, cases[1].options]) {
      const own = cases.filter((one) => JSON.stringify(one.options) === JSON.stringify(options));
      const list = (field: "src_lang" | "tgt_lang") =>
        own[0][field] ? own.map((one) => one[field] as string) : undefined;
      const languages = { src_lang: list("src_lang"), tgt_lang: list("tgt_lang") };
      const results = await run(
        own.map(({ text }) => text),
        { ...languages, allow_unknown: true, batch_size: 4, ...options },
      );
      assert.equal(
        results.map((each) => each.map((result) => result.token_ids)),
        own.map((one) => one.token_ids),
      );
    }
    run.dispose();
  });

test("results begin with a target_prefix, and go on as the model does; alternatives follow it, for each text its own", async () => {
  const gpu = await device();
  for (const [name, src_lang, tgt_lang] of [
    ["nllb", "eng_Latn", "fra_Latn"],
    ["mbart", "en_XX", "ro_RO"],
    ["marian", undefined, "deu"],
  ] as const) {
    const run = await pipeline("translation", await source(name), { gpu });
    const texts = ["the boat sails on the sea", "a b c", "das haus"];
    const target_prefix = ["the boat", "", "a"];
    const options = { src_lang, tgt_lang, num_beams: 2, max_new_tokens: 12 };
    const { tokenizer, model } = run;
    const defaults = model.generationDefaults.options;
    const target = tokenizer.token_to_id(tokenizer.languages.get(tgt_lang)!)!;
    const prompts = texts.map((text, b) => {
      const ids = tokenizer.encode(target_prefix[b], { add_special_tokens: false }).ids;
      const start = defaults.decoder_start_token_id as number;
      const first = { nllb: [start, target], mbart: [target], marian: [start] }[name];
      const before = name === "marian" ? ">>deu<< " : "";
      return { ids: tokenizer.encode(before + text, { src_lang }).ids, given: [...first, ...ids] };
    });
    const plain = await run(texts, { ...options, target_prefix, batch_size: 2 });
    const all = {
      ...options,
      return_alternatives: true,
      num_return_sequences: 4,
      min_alternative_expansion_prob: 0.01,
    };
    const others = await run(texts, { ...all, target_prefix, batch_size: 2 });
    for (const [b, { ids, given }] of prompts.entries()) {
      const inputs = { input_ids: [ids], decoder_input_ids: [given] };
      const { src_lang: _, tgt_lang: _t, ...own } = options;
      const start = name === "mbart" ? { decoder_start_token_id: target } : {};
      const alone = await model.generate(inputs, { ...own, ...start });
      assert.equal(plain[b][0].token_ids, alone.sequences[0].slice(0, alone.lengths[0]));
      const { src_lang: _s, tgt_lang: _u, ...rest } = all;
      const wanted = await model.generate(inputs, { ...rest, ...start });
      assert.equal(
        others[b].map(({ token_ids, score }) => [token_ids, score]),
        wanted.sequences.map((row, i) => [row.slice(0, wanted.lengths[i]), wanted.sequences_scores![i]]),
      );
      assert.ok(
        others[b].length > 0 && others[b].every(({ token_ids }) => given.every((id, t) => token_ids[t] === id)),
      );
      assert.is(new Set(others[b].map(({ token_ids }) => token_ids[given.length])).size, others[b].length);
      assert.ok(others[b].every(({ translation_text }) => translation_text.startsWith(target_prefix[b])));
    }
    run.dispose();
  }
});

test("a stream translates each text to its own language", async () => {
  const { cases } = await reference("nllb");
  const run = await open("nllb");
  const own = cases.filter(({ options }) => !options.num_beams).slice(0, 3);
  const got = own.map(() => [] as number[]);
  const languages = { src_lang: own.map((one) => one.src_lang!), tgt_lang: own.map((one) => one.tgt_lang!) };
  for await (const { row, token_ids } of run.stream(
    own.map(({ text }) => text),
    languages,
  ))
    got[row].push(...token_ids);
  assert.equal(
    got,
    own.map(({ token_ids }) => token_ids[0].slice(1)),
  );
  run.dispose();
});

test("names of the Hub open the same tasks; the name of a pair gives its languages, prefix and options", async () => {
  const gpu = await device();
  const { cases } = await reference("t5");
  const german = cases.find(({ tgt_lang, options }) => tgt_lang === "de" && !options.num_beams)!;
  const files = await source("t5");
  const pair = await pipeline("translation_en_to_de", files, { gpu });
  const [{ translation_text, token_ids, score }] = await pair(german.text);
  assert.equal([translation_text, token_ids], [german.texts[0], german.token_ids[0]]);
  close(score, german.scores?.[0]);
  pair.dispose();
  const plain = await pipeline("text2text-generation", files, { gpu });
  const [{ generated_text }] = await plain("translate English to German: " + german.text, {
    early_stopping: true,
    num_beams: 4,
    max_length: 15,
  });
  assert.is(generated_text, german.texts[0]);
  assert.is(
    (
      await plain(german.text, { src_lang: "en", tgt_lang: "de", early_stopping: true, num_beams: 4, max_length: 15 })
    )[0].generated_text,
    german.texts[0],
  );
  plain.dispose();
  const { cases: multilingual } = await reference("m2m_100");
  const named = await pipeline("translation_en_to_fr", await source("m2m_100"), { gpu });
  assert.equal((await named(multilingual[0].text))[0].token_ids, multilingual[0].token_ids[0]);
  named.dispose();
  const { cases: french } = await reference("marian");
  const marian = await pipeline("translation_en_to_fra", await source("marian"), { gpu });
  assert.equal((await marian(french[0].text))[0].token_ids, french[0].token_ids[0]);
  assert.equal((await marian(french[2].text, { tgt_lang: "deu" }))[0].token_ids, french[2].token_ids[0]);
  marian.dispose();
});

test("a call has precedence over task_specific_params, and these over generation_config.json", async () => {
  const run = await open("t5", "summarization");
  assert.is(run.model.generationDefaults.options.max_length, 20);
  assert.is(run.model.generationDefaults.options.num_beams, 4);
  assert.is(run.model.generationDefaults.options.pad_token_id, 0);
  const [{ token_ids, score }] = await run("the boat sails", { num_beams: 1, max_length: 9 }); // early_stopping acts with beams alone
  assert.ok(token_ids.length <= 9 && score === undefined);
  const [own] = await run("the boat sails", { prefix: "" });
  const [usual] = await run("the boat sails", { prefix: "summarize: " });
  assert.equal(usual, (await run("the boat sails"))[0]);
  assert.not.equal(own.token_ids, usual.token_ids);
  run.dispose();
  const translate = await open("t5");
  assert.is(translate.model.generationDefaults.options.max_length, 15); // what all pairs have alike
  translate.dispose();
  const start = { task_specific_params: { translation_en_to_ro: { decoder_start_token_id: 50, num_beams: 5 } } };
  const romanian = await open("mbart50", "translation", {}, start); // one pair's start token is not for others
  assert.is(romanian.model.generationDefaults.options.decoder_start_token_id, 2);
  romanian.dispose();
  const named = await pipeline("translation_en_to_ro", await source("t5", {}, start), { gpu: await device() });
  assert.is(named.model.generationDefaults.options.decoder_start_token_id, 50);
  named.dispose();
});

test("a prefix of config.json begins texts where the task has none", async () => {
  const run = await open("t5", "translation", {}, { prefix: "a b ", task_specific_params: null });
  const bare = await open("t5", "translation", {}, { task_specific_params: null });
  assert.equal(await run("c"), await bare("a b c"));
  run.dispose();
  bare.dispose();
});

test("sounds look at the letters that they come from", async () => {
  const run = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  const words = ["transformer", "knight", "phonetics", "boxes"];
  const wanted = [
    "t-T r-R a-AE0 n-N s-S f-F o-AO1 r-R m-M r-ER0",
    "n-N i-AY1 t-T",
    "p-F o-AH0 n-N e-EH1 t-T i-IH0 c-K s-S",
    "b-B o-AA1 x-K x-S e-IH0 s-Z",
  ];
  const results = await run(words, { num_beams: 4, num_return_sequences: 2, return_alignments: true, batch_size: 3 });
  for (const [b, [best, second]] of results.entries()) {
    const letters = best.alignments!.map(({ start, end, token }) => `${words[b].slice(start, end)}-${token.trim()}`);
    assert.is(letters.join(" "), wanted[b]);
    assert.equal(
      second.alignments!.map(({ token_id }) => token_id),
      second.token_ids.slice(1, -1),
    );
  }
  run.dispose();
});

test("alignments are the places of the text with most attention, whatever begins it or was given", async () => {
  const run = await open("t5", "summarization");
  const text = "the boat sails on  the sea";
  const [{ token_ids, alignments }] = await run(text, { return_alignments: true });
  const { ids, offsets } = run.tokenizer.encode("summarize: " + text);
  const { cross_attentions } = await run.model.generate({ input_ids: [ids] }, { output_attentions: true });
  const [, L, H, T, S] = cross_attentions!.dims;
  const mean = (t: number, s: number): number => {
    const each = Array.from({ length: L * H }, (_, x) => cross_attentions!.data[(x * T + t) * S + s]);
    return each.reduce((sum, one) => sum + one, 0) / (L * H);
  };
  const own = offsets.map((_, s) => s).filter((s) => offsets[s][1] > "summarize: ".length && s < ids.length - 1);
  const shown = token_ids
    .slice(1)
    .map((id, t) => ({ id, t }))
    .filter(({ id }) => run.tokenizer.decode([id], { skip_special_tokens: true }) !== "");
  assert.is(alignments!.length, shown.length);
  for (const [i, { id, t }] of shown.entries()) {
    const best = own.reduce((most, s) => (mean(t, s) > mean(t, most) ? s : most));
    const { token_id, start, end, weight } = alignments![i];
    assert.is(token_id, id);
    close(weight, mean(t, best));
    assert.is(text.slice(start, end), ("summarize: " + text).slice(...offsets[best]).trim());
  }
  const nllb = await open("nllb");
  const options = {
    src_lang: "eng_Latn",
    tgt_lang: "fra_Latn",
    target_prefix: ["the", "das"],
    return_alternatives: true,
    num_return_sequences: 3,
    return_alignments: true,
    max_new_tokens: 5,
  };
  for (const [b, results] of (await nllb(["the boat", "a"], options)).entries())
    for (const result of results) {
      assert.ok(result.alignments!.length > 0 && result.alignments!.length <= 5);
      assert.ok(
        result.alignments!.every(({ start, end }) => start >= 0 && end > start && end <= ["the boat", "a"][b].length),
      );
    }
  assert.equal(await nllb("a", { ...options, target_prefix: "the", min_alternative_expansion_prob: 1 }), []);
  nllb.dispose();
  run.dispose();
});

test("spaces before punctuation go if asked", async () => {
  const run = await open("t5", "translation", {}, { task_specific_params: null });
  const text = async (clean_up_tokenization_spaces?: boolean): Promise<string> => {
    const [result] = await run("a", {
      clean_up_tokenization_spaces,
      forced_bos_token_id: run.tokenizer.token_to_id("▁"),
      max_length: 30,
    });
    return result.translation_text;
  };
  assert.is(await text(), await text(false));
  assert.is(await text(true), (await text()).replace(/ ([.?!,])/g, "$1").replace(/ ('|n't)/g, "$1"));
  run.dispose();
});

test("long texts are shortened if asked, and results say by how much", async () => {
  const run = await open("nllb");
  const text = "the boat sails on the sea ".repeat(20);
  const options = { src_lang: "eng_Latn", tgt_lang: "fra_Latn" };
  await refuses(() => run(text, options), InputError, /must have at most 64 tokens/);
  const [{ truncated }] = await run(text, { ...options, truncation: true });
  assert.is(truncated, run.tokenizer.encode(text, { src_lang: "eng_Latn" }).ids.length - 64);
  const [short] = await run("das haus", { ...options, truncation: true });
  assert.is(short.truncated, 0);
  run.dispose();
});

test("texts and beginnings that are too long are refused by their place in the list", async () => {
  const run = await open("nllb");
  const bad = (options: object, message: RegExp) =>
    refuses(() => run(["a", "a b", "a ".repeat(99)], { tgt_lang: "fra_Latn", ...options }), InputError, message);
  await bad(
    {},
    /^translation: input 2: text: must have at most 64 tokens with special ones, got \d+; shorten it, or pass truncation: true$/,
  );
  await bad(
    { truncation: true, target_prefix: ["a", "b ".repeat(99), ""] },
    /^translation: input 1: target_prefix: must have at most 63 tokens with special ones, got \d+; shorten it, or leave it out$/,
  );
  run.dispose();
});

test("languages that there are not are refused, with near ones and how many there are", async () => {
  const nllb = await open("nllb");
  const bad = (options: object, message: RegExp, run = nllb) =>
    refuses(() => run(["a", "a b"], options), OptionError, message);
  await bad(
    { src_lang: "eng_Latn", tgt_lang: "french" },
    /^translation: tgt_lang must be one of the 202 languages of the tokenizer, near ones are fra_Latn; got "french"$/,
  );
  await bad(
    { src_lang: "eng", tgt_lang: "fra_Latn" },
    /src_lang must be one of the 202 languages of the tokenizer, near ones are eng_Latn; got "eng"/,
  );
  await bad({ src_lang: "zz", tgt_lang: "fra_Latn" }, /such as ace_Arab, .*; got "zz"/);
  await bad({ tgt_lang: 5 }, /tgt_lang must be a language, or a list of one for each text, got 5/);
  await bad(
    { tgt_lang: ["fra_Latn"] },
    /tgt_lang must be a language, or a list of one for each of the 2 texts, got \["fra_Latn"\]/,
  );
  await bad({ src_lang: "eng_Latn" }, /tgt_lang must be one of the 202 languages of the tokenizer, .*; got nothing/);
  await bad({ tgt_lang: "fra_Latn", forced_bos_token_id: 5 }, /forced_bos_token_id must be absent with tgt_lang/);
  await bad(
    { tgt_lang: "fra_Latn", trg_lang: "fra_Latn" },
    /^translation: trg_lang is not supported; did you mean tgt_lang\?$/,
  );
  await bad(
    { tgt_lang: "fra_Latn", decoder_input_ids: [[2]] },
    /^translation: decoder_input_ids is not supported; target_prefix begins the results$/,
  );
  await bad(
    { tgt_lang: "fra_Latn", return_full_text: false },
    /^translation: return_full_text must be absent, marian has an encoder; leave it out$/,
  );
  assert.equal(await nllb([], { tgt_lang: "fra_Latn" }), []);
  await refuses(
    () => Promise.resolve(nllb.tokenizer.encode("a", { src_lang: "xx" })),
    OptionError,
    /^encode: src_lang must be one of the 202/,
  );
  await bad(
    { tgt_lang: "fra_Latn", target_prefix: ["a"] },
    /target_prefix must be a text or token ids, or a list of such for each of the 2 texts/,
  );
  await bad(
    { decoder_start_token_id: [5, 6], tgt_lang: "fra_Latn" },
    /decoder_start_token_id must be one id; tgt_lang takes/,
  );
  nllb.dispose();
  const marian = await open("marian");
  await bad({ src_lang: "en", tgt_lang: "fra" }, /src_lang must be absent/, marian);
  await bad(
    { tgt_lang: "fr" },
    /tgt_lang must be one of the 3 languages of the tokenizer, near ones are fra; got "fr"/,
    marian,
  );
  await refuses(
    () => Promise.resolve(marian.tokenizer.encode("a", { src_lang: "fra" })),
    OptionError,
    /texts begin with the target language/,
  );
  marian.dispose();
  const t5 = await open("t5");
  await bad(
    { src_lang: "en", tgt_lang: "ro" },
    /must be a pair of task_specific_params, en and de; en and fr; got "en" and "ro"/,
    t5,
  );
  await bad({ tgt_lang: "de" }, /must be a pair/, t5);
  t5.dispose();
  const plain = await open("t5", "translation", {}, { task_specific_params: null });
  await bad({ tgt_lang: "de" }, /tgt_lang must be absent, there are no such languages to choose from/, plain);
  plain.dispose();
});

test("a tokenizer of another class keeps its template, with another language in it", async () => {
  const { files } = await reference("nllb-legacy");
  const { files: own } = await reference("nllb");
  const read = async (tokenizer_config: unknown) => {
    const all: Json = { "tokenizer.json": own["tokenizer.json"], "tokenizer_config.json": tokenizer_config };
    return (await readTokenizer({ label: "x", json: async (name: string) => all[name] } as never))!;
  };
  const [plain, legacy, other] = [
    await read(own["tokenizer_config.json"]),
    await read(files["tokenizer_config.json"]),
    await read({}),
  ];
  const french = plain.token_to_id("fra_Latn")!;
  assert.is(plain.languages.size, 202);
  assert.is(plain.encode("a", { src_lang: "fra_Latn" }).ids[0], french);
  assert.is(legacy.encode("a", { src_lang: "fra_Latn" }).ids.at(-1), french);
  assert.equal(other.encode("a", { src_lang: "fra_Latn" }).ids, plain.encode("a", { src_lang: "fra_Latn" }).ids);
  assert.equal(plain.encode("a").ids, plain.encode("a", { src_lang: "eng_Latn" }).ids);
  const pair = plain.encode("a", { text_pair: "b", src_lang: "fra_Latn" });
  assert.equal([pair.ids[0], pair.sequence_ids.at(-1), pair.ids.at(-1)], [french, null, 2]);
});

test("a checkpoint's own task is what its parameters or its family say", async () => {
  const task = async (fields: Json, name = "t5") => defaultTask(await openCheckpoint(await source(name, {}, fields)));
  assert.is(await task({}), "text2text");
  assert.is(await task({}, "marian"), "text2text");
  assert.is(await task({ task_specific_params: { summarization: {} } }), "summarization");
  assert.is(await task({ task_specific_params: { translation_en_to_de: {} } }), "translation");
  assert.is(await task({ task_specific_params: { "text-generation": {} } }), "text2text");
});

test("without tokenizer.json the cure is told", async () => {
  const files = await source("m2m_100", { "tokenizer.json": undefined });
  await refuses(
    async () => pipeline("translation", files, { gpu: await device() }),
    Error,
    /must hold tokenizer\.json to take text, found none; .* for Marian and M2M100 take that of a conversion/,
  );
});
