import { InputError, load, type Model, OptionError } from "../src/index.js";
import { openModel } from "./support/checkpoint.js";
import { assert, device, readFile, readJson, refuses, suite } from "./support/harness.js";

/** Which options hold in a call, and what they do to its tokens; the right tokens are those of Transformers. */
const test = suite("defaults of generation");

const [GPT2, LLAMA, MARIAN] = ["gpt2", "llama", "marian"].map((name) => `tests/fixtures/${name}`);
const IDS = [5, 9, 33, 2, 7];

type Changes = Readonly<Record<string, object | undefined>>;

/** A checkpoint folder some of whose JSON files are changed or, if undefined, absent. */
async function changed<T>(path: string, files: Changes, call: (model: Model) => Promise<T>): Promise<T> {
  const bytes = (name: string): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    if (!(name in files)) return readFile(`${path}/${name}`).catch(() => undefined);
    return Promise.resolve(files[name] && new TextEncoder().encode(JSON.stringify(files[name])));
  };
  const known = new Set(["config.json", "generation_config.json", "model.safetensors"]);
  const model = await load(async (name: string) => (known.has(name) ? bytes(name) : undefined), {
    gpu: await device(),
  });
  try {
    return await call(model);
  } finally {
    model.dispose();
  }
}

const row = async (model: Model, ids: readonly number[], options: object = {}): Promise<number[]> =>
  (await model.generate({ input_ids: [ids] }, options)).sequences[0];

test("A1: without a length 20 tokens are generated, also after a longer prompt", async () => {
  const m = await openModel(LLAMA);
  assert.is((await row(m, IDS)).length, 25);
  assert.is((await row(m, [...IDS, ...IDS, ...IDS, ...IDS, ...IDS], { eos_token_id: null })).length, 45);
  assert.is((await row(m, Array<number>(118).fill(9), { eos_token_id: null })).length, 128); // as many as positions
});

test("A2: without generation_config.json the options of config.json hold", async () => {
  await changed(GPT2, { "generation_config.json": undefined }, async (m) => {
    assert.is((await row(m, IDS, { max_new_tokens: 40 })).at(-1), 41);
    assert.is(m.generationDefaults.file, "config.json");
  });
  await changed(MARIAN, { "generation_config.json": undefined }, async (m) =>
    assert.is((await row(m, IDS, { max_new_tokens: 4 }))[0], 96),
  );
  const config = { ...(await readJson<object>(`${MARIAN}/config.json`)), num_beams: 3, max_length: 6 };
  await changed(MARIAN, { "generation_config.json": undefined, "config.json": config }, async (m) => {
    const { sequences, sequences_scores } = await m.generate({ input_ids: [IDS] });
    assert.is(sequences_scores?.length, 1);
    assert.ok(sequences[0].length <= 6);
  });
});

test("A2: gpt2-brown with an end id in config.json alone", async () => {
  const files = { "generation_config.json": undefined };
  const config = { ...(await readJson<object>("models/gpt2-brown/config.json")), eos_token_id: 259 };
  await changed("models/gpt2-brown", { ...files, "config.json": config }, async (m) =>
    assert.equal(await row(m, [1309, 501], { max_new_tokens: 8 }), [1309, 501, 1147, 331, 259]),
  );
});

test("A3: null in a call switches a default off", async () => {
  const m = await openModel(GPT2);
  assert.is((await row(m, IDS, { max_new_tokens: 40, eos_token_id: null })).length, 45);
  const forced = { eos_token_id: 41, pad_token_id: 0, forced_eos_token_id: 7 };
  await changed(GPT2, { "generation_config.json": forced }, async (own) => {
    const options = { max_new_tokens: 3, eos_token_id: null };
    assert.is((await row(own, IDS, options)).at(-1), 7);
    assert.equal(await row(own, IDS, { ...options, forced_eos_token_id: null }), await row(m, IDS, options));
  });
});

test("A4: min_new_tokens wins over min_length", async () =>
  assert.equal(
    (
      await row(await openModel(LLAMA), IDS, {
        min_length: 14,
        min_new_tokens: 2,
        max_new_tokens: 12,
        eos_token_id: 94,
      })
    ).slice(5),
    [9, 72, 94],
  ));

test("A5: begin_suppress_tokens after a prefix acts at once, forced_bos_token_id or not", async () => {
  const { sequences } = await (
    await openModel(MARIAN)
  ).generate(
    { input_ids: [IDS], decoder_input_ids: [[96, 5]] },
    { max_new_tokens: 3, forced_bos_token_id: 7, begin_suppress_tokens: [67, 52, 12, 5] },
  );
  assert.equal(sequences, [[96, 5, 0]]);
});

test("A6: targets that do not begin with the start token get it, row by row", async () => {
  const m = await openModel(MARIAN);
  const inputs = {
    input_ids: [IDS, IDS],
    decoder_input_ids: [
      [5, 8],
      [96, 5, 8],
    ],
  };
  const right = [96, 5, 8, 67, 67, 67, 67];
  assert.equal((await m.generate(inputs, { max_new_tokens: 4 })).sequences, [right, right]);
  const solo = { input_ids: [IDS], decoder_input_ids: [[5, 8]] };
  assert.equal((await m.generate(solo, { max_new_tokens: 4 })).sequences, [right]);
});

test("A7: a token both forced and suppressed is refused", async () => {
  const m = await openModel(MARIAN);
  for (const name of ["forced_bos_token_id", "forced_eos_token_id"])
    await refuses(
      () => row(m, IDS, { [name]: 7, suppress_tokens: [7], max_new_tokens: 3 }),
      OptionError,
      new RegExp(`^generate: suppress_tokens must not hold ${name}=7`),
    );
});

test("A8: a checkpoint's own options fail no call, unless they would change it", async () => {
  const own = {
    pad_token_id: -1,
    eos_token_id: [41, -1],
    max_length: 4096,
    chat_format: "chatml",
    guidance_scale: 1,
    token_healing: false,
    top_p: 1,
    encoder_repetition_penalty: 2,
  };
  await changed(GPT2, { "generation_config.json": own }, async (m) => {
    const options = { max_new_tokens: 40, encoder_repetition_penalty: 1 };
    assert.equal(await row(m, IDS, options), await row(await openModel(GPT2), IDS, { max_new_tokens: 40 }));
    await refuses(
      () => row(m, IDS),
      OptionError,
      /^generation_config\.json: encoder_repetition_penalty is not supported, got 2; give .* in the call/,
    );
    const { setAside, unsupported, options: kept } = m.generationDefaults;
    const names = ["pad_token_id", "eos_token_id", "max_length", "chat_format", "guidance_scale", "token_healing"];
    assert.equal(Object.keys(setAside), names);
    assert.equal(Object.keys(unsupported), ["encoder_repetition_penalty"]);
    assert.equal(kept, { eos_token_id: [41], max_length: 96, top_p: 1 });
  });
});

test("A8: what has no say beside the options of a call does not fail it", async () => {
  const own = {
    max_length: -1,
    min_length: -1,
    length_penalty: "long",
    early_stopping: 5,
    temperature: 0,
    force_words_ids: [],
  };
  await changed(GPT2, { "generation_config.json": { ...own, eos_token_id: 41 } }, async (m) => {
    const options = { max_new_tokens: 40, min_new_tokens: 1 };
    assert.equal(await row(m, IDS, options), await row(await openModel(GPT2), IDS, options));
    const acting = {
      max_length: { min_new_tokens: 1 },
      min_length: { max_new_tokens: 4 },
      length_penalty: { ...options, num_beams: 2, early_stopping: true },
      early_stopping: { ...options, num_beams: 2, length_penalty: 1 },
      temperature: { ...options, do_sample: true },
    };
    for (const [name, call] of Object.entries(acting))
      await refuses(() => row(m, IDS, call), OptionError, new RegExp(`^generation_config\\.json: ${name} must be `));
  });
});

test("lists of token ids may be of any kind in options, as in inputs", async () => {
  const m = await openModel(LLAMA);
  const lists = { eos_token_id: [94, 3], suppress_tokens: [9, 72], bad_words_ids: [[51], [5, 9]] };
  const want = await row(m, IDS, { ...lists, max_new_tokens: 8 });
  for (const kind of [Uint8Array, Int32Array, Float64Array, BigInt64Array]) {
    const list = (ids: readonly number[]): ArrayLike<number | bigint> =>
      kind === BigInt64Array ? BigInt64Array.from(ids, BigInt) : (kind as Int32ArrayConstructor).from(ids);
    const options = {
      eos_token_id: list(lists.eos_token_id),
      suppress_tokens: list(lists.suppress_tokens),
      bad_words_ids: lists.bad_words_ids.map(list),
    };
    assert.equal(await row(m, IDS, { ...options, max_new_tokens: 8 }), want);
    const tail = await m.generate({ input_ids: [IDS] }, { ...options, max_new_tokens: 8 });
    assert.equal(tail.sequences[0], want);
  }
  await refuses(
    () => row(m, IDS, { suppress_tokens: new Float32Array([1.5]) }),
    OptionError,
    /^generate: suppress_tok/,
  );
});

test("S6: score refuses a start token that the vocabulary has not", async () => {
  for (const start of [97, 1e9, -1, 1.5])
    await changed(MARIAN, { "generation_config.json": { decoder_start_token_id: start } }, async (m) => {
      const target = { input_ids: [IDS] };
      await refuses(
        () => m.score(target, [[5, 8]]),
        OptionError,
        /^score: generation_config\.json must give a decoder_start_token_id from 0 to 96$/,
      );
      await refuses(() => m.generate(target, { max_new_tokens: 2 }), OptionError, /decoder_start_token_id must be/);
    });
});

test("B2: without a mask the padding token is padding, unless it ends rows", async () => {
  const m = await openModel(GPT2);
  const ids = [
    [0, 0, 5, 7],
    [11, 2, 3, 4],
  ];
  const inferred = await m.generate({ input_ids: ids }, { max_new_tokens: 2 });
  assert.equal(inferred.sequences[0], [0, 0, 5, 7, 21, 41]);
  const masked = { input_ids: ids, attention_mask: ids.map((own) => own.map((id) => Number(id !== 0))) };
  assert.equal((await m.generate(masked, { max_new_tokens: 2 })).sequences, inferred.sequences);
  const ones = { input_ids: ids, attention_mask: ids.map((own) => own.map(() => 1)) };
  const whole = await m.generate(ones, { max_new_tokens: 2, eos_token_id: 0 });
  assert.equal(
    (await m.generate({ input_ids: ids }, { max_new_tokens: 2, eos_token_id: 0 })).sequences,
    whole.sequences,
  );
});

test("B3: masked ids that are not the padding token count for the rules, and come back as given", async () => {
  const m = await openModel(LLAMA);
  const inputs = {
    input_ids: [
      [84, 37, 50, 88, 72, 8],
      [1, 2, 4, 5, 6, 7],
    ],
    attention_mask: [
      [0, 0, 0, 1, 1, 1],
      [1, 1, 1, 1, 1, 1],
    ],
  };
  const { sequences } = await m.generate(inputs, { max_new_tokens: 8, repetition_penalty: 5 });
  assert.equal(sequences[0], [84, 37, 50, 88, 72, 8, 6, 52, 71, 28, 80, 95, 20, 83]);
});

test("B4: columns of padding are no positions", async () => {
  const m = await openModel(GPT2);
  const input_ids = [[...Array<number>(93).fill(0), 5, 7, 9]];
  const attention_mask = [input_ids[0].map((id) => Number(id > 0))];
  const { sequences } = await m.generate({ input_ids, attention_mask }, { max_new_tokens: 5 });
  assert.equal(sequences[0].slice(96), [87, 87, 87, 66, 41]);
});

test("options that are none are refused with their names", async () => {
  const m = await openModel(GPT2);
  const generate = m.generate as (inputs: unknown, options: unknown) => Promise<unknown>;
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const [options, message] of [
    [null, /^generate: options must be an object, got null$/],
    [5, /^generate: options must be an object, got 5$/],
    [{ signal: 5 }, /^generate: signal must be an AbortSignal, got 5$/],
    [{ eos_token_id: cyclic }, /^generate: eos_token_id must be a token id .*, or a list of them, got /],
    [{ suppress_tokens: Object.assign([], { length: 2 }) }, /^generate: suppress_tokens must be a list of token ids/],
  ] as const)
    await refuses(() => generate({ input_ids: [IDS] }, options), OptionError, message);
  for (const inputs of [null, undefined, 5])
    await refuses(() => generate(inputs, {}), InputError, /^(generate: inputs|input_ids:) must be/);
});

test("lists of more items than a call has room for arguments", async () => {
  const m = await openModel(GPT2);
  const many = Array.from({ length: 130_000 }, (_, i) => 1 + (i % 5));
  const plain = await row(m, IDS, { max_new_tokens: 4, suppress_tokens: [1, 2, 3, 4, 5] });
  const options = { max_new_tokens: 4, suppress_tokens: many, bad_words_ids: many.map((id) => [id]) };
  assert.equal(await row(m, IDS, options), plain);
});
