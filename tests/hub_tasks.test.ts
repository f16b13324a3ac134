import {
  CheckpointError,
  defaultTask,
  type FilledMask,
  fillMask,
  InputError,
  openCheckpoint,
  OptionError,
  pipeline,
  questionAnswering,
  sentenceSimilarity,
  type TaskName,
  type TaskParts,
  textRanking,
  zeroShotClassification,
} from "../src/index.js";
import { assert, device, readFile, readJson, refuses, suite } from "./support/harness.js";

const test = suite("tasks of the Hub", { chrome: "compiles for minutes; Node and Deno show it" });

/** What Python makes of an input (tests/oracle/tasks.py). */
interface Case {
  readonly task: TaskName;
  readonly model: string;
  readonly tokenizer: string;
  readonly input: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly expected: unknown;
  /** Files of a sentence-transformers folder. */
  readonly files?: Readonly<Record<string, unknown>>;
  /** Of the first text to the others. */
  readonly similarity?: readonly number[] | null;
}

const reference = readJson<{ tokenizers: Record<string, object>; end: object; cases: readonly Case[] }>(
  "tests/fixtures/tasks/cases.json",
);

/** A checkpoint of the references with its tokenizer, and with more files. */
async function source({ model, tokenizer, files = {} }: Pick<Case, "model" | "tokenizer" | "files">) {
  const { tokenizers, end } = await reference;
  const definition = await readJson<object>(`tests/fixtures/tokenizers/${tokenizer}.json`);
  const all: Readonly<Record<string, unknown>> = {
    "tokenizer.json": { ...definition, ...(tokenizer === "qwen" && { post_processor: end }) },
    "tokenizer_config.json": {
      ...tokenizers[tokenizer],
      ...(tokenizer !== "bert-uncased" && { model_input_names: ["input_ids", "attention_mask"] }),
    },
    ...files,
  };
  return async (file: string) => {
    if (file in all) return new TextEncoder().encode(JSON.stringify(all[file]));
    if (!/^(2_Dense\/)?(config\.json|model\.safetensors)$/.test(file)) return undefined;
    return readFile(`tests/fixtures/tasks/${model}/${file}`);
  };
}

const TOLERANCE = 1e-4;

/** Asserts that all numbers of two results are close, and all else is the same; `got` may have more properties. */
function alike(got: unknown, want: unknown, place: string): void {
  if (typeof want === "number")
    return assert.ok(
      Math.abs((got as number) - want) <= TOLERANCE * Math.max(1, Math.abs(want)),
      `${place}: ${String(got)} for ${want}`,
    );
  if (typeof want !== "object" || want === null) return assert.is(got, want, place);
  const [own, theirs] = [got as Record<string, unknown>, want as Record<string, unknown>];
  if (Array.isArray(want)) assert.is((got as ArrayLike<unknown>).length, want.length, `${place}: length`);
  for (const key of Object.keys(theirs)) alike(own[key], theirs[key], `${place}.${key}`);
}

type AnyTask = ((input: unknown, options: unknown) => Promise<unknown>) & TaskParts;

/** Runs all cases of one task on all of its models. */
async function check(wanted: TaskName, run: (task: AnyTask, one: Case, place: string) => Promise<void>): Promise<void> {
  const gpu = await device();
  const { cases } = await reference;
  const own = cases.filter(({ task }) => task === wanted);
  assert.ok(own.length >= 4);
  const opened = new Map<string, AnyTask>();
  for (const [index, one] of own.entries()) {
    const key = `${one.model} ${JSON.stringify(one.files)}`;
    const task = opened.get(key) ?? ((await pipeline(wanted, await source(one), { gpu })) as unknown as AnyTask);
    opened.set(key, task);
    await run(task, one, `${one.model} ${index}`);
  }
  opened.forEach((task) => task.dispose());
}

const checkResults = (task: TaskName) =>
  check(task, async (run, { input, options, expected }, place) => alike(await run(input, options), expected, place));

test("fill-mask fills as Transformers does, one mask or several, from all tokens or some", () =>
  checkResults("fill-mask"));

test("question-answering finds the answers that Transformers finds, in windows of long contexts too", () =>
  checkResults("question-answering"));

test("zero-shot-classification scores labels as Transformers does, with encoders and with BART", () =>
  checkResults("zero-shot-classification"));

test("text-ranking ranks as CrossEncoder of sentence-transformers does", () => checkResults("text-ranking"));

test("feature-extraction gives the vectors of sentence-transformers, of encoders and of decoders", () =>
  check("feature-extraction", async (extract, { input, options, expected }, place) => {
    const found = (await extract(input, options)) as { readonly embedding: Float32Array }[];
    alike(
      found.map(({ embedding }) => embedding),
      expected,
      place,
    );
  }));

test("sentence-similarity compares vectors as the checkpoint says", async () => {
  const gpu = await device();
  const { cases } = await reference;
  for (const one of cases.filter(({ similarity }) => similarity)) {
    const compare = await sentenceSimilarity(await source(one), { gpu });
    const [source_sentence, ...sentences] = one.input as string[];
    alike(
      await compare({ source_sentence, sentences }, { ...one.options, truncation: true }),
      one.similarity,
      one.model,
    );
    compare.dispose();
  }
});

test("text-classification takes the last state of decoders", () =>
  check("text-classification", async (classify, { input, options, expected }, place) => {
    const { labels } = (await classify(input, options)) as { labels: { label: string; score: number }[] };
    const scores = [...labels].sort((a, b) => a.label.localeCompare(b.label)).map(({ score }) => score);
    alike(scores, expected, place);
    const { ids } = classify.tokenizer.encode(input as string);
    const { logits } = await classify.model.forward({ input_ids: [ids, [5, 6]] });
    assert.equal(logits?.dims, [2, 3]);
    alike(logits?.data.slice(0, 3), expected, place);
  }));

const MODELS = {
  masks: { model: "bert-masks", tokenizer: "bert-uncased" },
  answers: { model: "roberta-answers", tokenizer: "roberta" },
  nli: { model: "distilbert-nli", tokenizer: "bert-uncased" },
  ranker: { model: "bert-ranker", tokenizer: "bert-uncased" },
  states: { model: "qwen3-states", tokenizer: "qwen" },
} as const;

test("a checkpoint says which task it is for, and pipeline says it of a wrong one", async () => {
  const tasks = {
    "bert-masks": "fill-mask",
    "distilbert-masks": "fill-mask",
    "roberta-answers": "question-answering",
    "distilbert-nli": "zero-shot-classification",
    "bart-nli": "zero-shot-classification",
    "bert-ranker": "text-ranking",
    "bert-states": "feature-extraction",
    "qwen3-states": "feature-extraction",
    "qwen3-labels": "text-classification",
  };
  for (const [model, task] of Object.entries(tasks))
    assert.is(await defaultTask(await openCheckpoint(await source({ model, tokenizer: "roberta" }))), task, model);
  const embedder = await source({ ...MODELS.masks, files: { "modules.json": [] } });
  assert.is(await defaultTask(await openCheckpoint(embedder)), "feature-extraction");
  const gpu = await device();
  const words = {
    "fill-mask": "a head for masked tokens, got .*BertForSequenceClassification.* of bert; it is for text-ranking",
    "question-answering": "a head for starts and ends of answers, got .*; it is for text-ranking",
    "zero-shot-classification": "a classifier of sequences with a label entailment, got .*; it is for text-ranking",
    ner: "a classifier of tokens, got .*; it is for text-ranking",
  } as const;
  for (const [task, message] of Object.entries(words))
    await refuses(
      async () => pipeline(task as TaskName, await source(MODELS.ranker), { gpu }),
      CheckpointError,
      new RegExp(message),
    );
});

test("tasks have the names of Transformers too", async () => {
  const gpu = await device();
  const classify = await pipeline("sentiment-analysis", await source(MODELS.nli), { gpu });
  assert.is((await classify("good")).labels.length, 1);
  classify.dispose();
  await refuses(
    async () => pipeline("fill-masks" as never, await source(MODELS.masks), { gpu }),
    OptionError,
    /task must be one of .*fill-mask, .*sentiment-analysis, ner.*got "fill-masks"/,
  );
});

test("masks are filled text by text, whatever the batches, and what is none is refused", async () => {
  const fill = await fillMask(await source(MODELS.masks), { gpu: await device() });
  const { mask_token: mask } = fill;
  assert.is(mask, "[MASK]");
  const texts = [`the ${mask} of and`, `a ${mask}`, `${mask} to in is was it for on with`];
  const together = await fill(texts, { batch_tokens: 12 });
  for (const [index, text] of texts.entries()) assert.equal(together[index], await fill(text));
  const [first, second] = await fill<FilledMask[][]>(`a ${mask} and ${mask}`, { top_k: 2 });
  assert.is(first.length + second.length, 4);
  assert.match(first[0].sequence, /^\[CLS\] a .+ and \[MASK\] \[SEP\]$/);
  await refuses(() => fill("no mask"), InputError, /^fill-mask: text: must hold \[MASK\], the mask of this model/);
  await refuses(() => fill(`${mask} a`.repeat(60)), InputError, /at most 96 tokens .*pass truncation: true/);
  await refuses(
    () => fill(`a ${mask}`, { targets: ["the", "thermodynamics"] }),
    OptionError,
    /targets must each be one token of the vocabulary, "thermodynamics" is \d+/,
  );
  fill.dispose();
  await refuses(
    async () =>
      fillMask(await source({ ...MODELS.masks, files: { "tokenizer_config.json": {} } }), { gpu: await device() }),
    CheckpointError,
    /tokenizer_config\.json: must name mask_token for fill-mask, found none/,
  );
});

test("answers are parts of their context, and question and window sizes are checked", async () => {
  const ask = await questionAnswering(await source(MODELS.answers), { gpu: await device() });
  const context = "over the years 😀 many people took the work away. ".repeat(9);
  const answers = await ask({ question: "who?", context }, { top_k: 7, max_seq_len: 30, doc_stride: 5 });
  assert.is(answers.length, 7);
  for (const { start, end, answer } of answers) assert.is(context.slice(start, end), answer);
  const sizes = { max_seq_len: 30, doc_stride: 5 };
  assert.equal(await ask({ question: "who?", context }, { ...sizes, top_k: 1 }), [
    await ask({ question: "who?", context }, sizes),
  ]);
  await refuses(() => ask({ question: "", context }), InputError, /question-answering: question: must not be empty/);
  await refuses(() => ask({ question: "a" } as never), InputError, /context: must be a string, got nothing/);
  await refuses(
    () => ask({ question: "who is it", context }, { max_seq_len: 20, doc_stride: 15 }),
    InputError,
    /must leave more than doc_stride=15 of max_seq_len=20 tokens for the context/,
  );
  await refuses(
    () => ask({ question: "a", context }, { max_seq_len: 97 }),
    OptionError,
    /max_seq_len must be at most 96/,
  );
  await refuses(
    () => ask({ question: "a", context }, { truncation: true } as never),
    OptionError,
    /question-answering: truncation is not supported/,
  );
  ask.dispose();
});

test("zero-shot labels may be divided by commas, and are needed", async () => {
  const classify = await zeroShotClassification(await source(MODELS.nli), { gpu: await device() });
  const list = await classify("a good day", { candidate_labels: ["work", "life"] });
  assert.equal(await classify("a good day", { candidate_labels: " work, life," }), list);
  await refuses(() => classify("a", { candidate_labels: [] }), OptionError, /candidate_labels must name at least one/);
  await refuses(
    () => classify("a", { candidate_labels: ["b"], hypothesis_template: "It is." }),
    OptionError,
    /hypothesis_template must hold \{\} for the label/,
  );
  classify.dispose();
});

test("rankings say what was left out, and another activation is refused", async () => {
  const gpu = await device();
  const rank = await textRanking(await source(MODELS.ranker), { gpu });
  const documents = ["a day", "the years between us ".repeat(30)];
  const ranked = await rank({ query: "long?", documents }, { return_documents: true });
  for (const { corpus_id, text, truncated } of ranked) {
    assert.is(text, documents[corpus_id]);
    assert.is(truncated > 0, corpus_id === 1);
  }
  await refuses(
    () => rank({ query: "a", texts: [] } as never),
    InputError,
    /input: must be \{ query, documents \}, got "texts"/,
  );
  rank.dispose();
  const files = { "config_sentence_transformers.json": { activation_fn: "torch.nn.modules.activation.Tanh" } };
  await refuses(
    async () => textRanking(await source({ ...MODELS.ranker, files }), { gpu }),
    CheckpointError,
    /activation_fn must be torch\.nn's Sigmoid or Identity, got .*Tanh/,
  );
});

test("a decoder without logits encodes texts after their prompts, but writes nothing", async () => {
  const extract = await pipeline("feature-extraction", await source(MODELS.states), { gpu: await device() });
  const { states, token_ids } = await extract("one two");
  assert.equal(states?.dims, [token_ids.length, 32]);
  const { embedding } = await extract("one two", { pooling: "lasttoken" });
  assert.equal(embedding, states?.data.slice(-32));
  await refuses(
    () => extract.model.generate({ input_ids: [[1, 2]] }),
    InputError,
    /generate: must be called on a model with logits of next tokens, this qwen3 has none/,
  );
  const files = { "config_sentence_transformers.json": { prompts: { query: "find: " } } };
  const prompted = await pipeline("feature-extraction", await source({ ...MODELS.states, files }), {
    gpu: await device(),
  });
  const [by_name, by_text] = [
    await prompted("one", { prompt_name: "query" }),
    await prompted("one", { prompt: "find: " }),
  ];
  assert.equal(by_name, by_text);
  await refuses(
    () => prompted("one", { prompt_name: "query", prompt: "a" }),
    OptionError,
    /prompt must be absent with prompt_name "query"/,
  );
  prompted.dispose();
  await refuses(() => extract("one", { truncate_dim: 4 }), OptionError, /truncate_dim must be absent without pooling/);
  extract.dispose();
});
