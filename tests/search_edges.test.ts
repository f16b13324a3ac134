import { InputError, load, type LogitsProcessor, OptionError } from "../src/index.js";
import { openModel } from "./support/checkpoint.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

/** Searches that run out of tokens, hosts that ban tokens, and failures while steps are in flight. */
const test = suite("edges of the search");

const GPT2 = "tests/fixtures/gpt2";
const V = 97;
const IDS = [5, 9, 33];
const allBut = (...ids: readonly number[]): number[] =>
  Array.from({ length: V }, (_, id) => id).filter((id) => !ids.includes(id));

test("H2: beams that have no candidate of their own come last", async () => {
  const m = await openModel(GPT2);
  const { sequences, sequences_scores } = await m.generate(
    { input_ids: [IDS] },
    { num_beams: 4, num_return_sequences: 4, max_new_tokens: 1, suppress_tokens: allBut(6, 66, 87) },
  );
  assert.equal(
    sequences
      .slice(0, 3)
      .map((row) => row[3])
      .sort((a, b) => a - b),
    [6, 66, 87],
  );
  assert.is(sequences.length, 4);
  const [first, second, third, fourth] = sequences_scores!;
  assert.ok(first > second && second > third && third > -100, String(sequences_scores));
  assert.is(Math.round(fourth / 1e8), -10);
});

test("H2: as many results as were asked for, ranked, and none with a banned token", async () => {
  const m = await openModel(GPT2);
  const free = { num_beams: 2, num_return_sequences: 2, no_repeat_ngram_size: 1, eos_token_id: null };
  for (const max_new_tokens of [1, 2, 3, 4]) {
    const options = { ...free, max_new_tokens, suppress_tokens: allBut(5, 6, 66, 87, 9) };
    const inputs = {
      input_ids: [
        [5, 9, 33],
        [2, 7],
      ],
    };
    const { sequences, sequences_scores } = await m.generate(inputs, options).catch((error: unknown) => {
      // the first row may use 6, 66, 87 once each, the second also 5 and 9
      assert.ok(max_new_tokens > 3, String(error));
      assert.match(
        String(error),
        /^OptionError: generate: step 4: no token is allowed in row 0; suppress or ban fewer/,
      );
      return { sequences: [], sequences_scores: [] };
    });
    if (max_new_tokens > 3) continue;
    assert.is(sequences.length, 4);
    for (const [r, row] of sequences.entries()) {
      const own = row.slice(r < 2 ? 0 : 1); // the second row begins with padding
      assert.is(new Set(own).size, own.length, String(row));
    }
    for (const b of [0, 2]) assert.ok(sequences_scores![b] >= sequences_scores![b + 1]);
    assert.ok(sequences_scores!.every((score) => score > -1e10));
  }
});

const NOTHING = { max_new_tokens: 3, suppress_tokens: allBut() };
const STUCK = /^generate: step 1: no token is allowed in row 0; suppress or ban fewer \(suppress_tokens, /;
for (const options of [
  {},
  { num_beams: 2 },
  { num_beams: 4, num_return_sequences: 4 },
  { num_beams: 4, num_beam_groups: 2, diversity_penalty: 0.5 },
  { do_sample: true, seed: 1 },
  { do_sample: true, seed: 1, num_return_sequences: 3, top_k: 0 },
  { num_beams: 3, repetition_penalty: 1.5 },
  { num_beams: 3, renormalize_logits: true },
])
  test(`S13, H3: every token banned with ${JSON.stringify(options)} names step and row`, async () => {
    const m = await openModel(GPT2);
    await refuses(() => m.generate({ input_ids: [IDS, [2]] }, { ...options, ...NOTHING }), OptionError, STUCK);
    assert.is((await m.generate({ input_ids: [IDS] }, { max_new_tokens: 2 })).sequences[0].length, 5);
  });

test("S13: a search that is stuck later names that step and that row", async () => {
  const m = await openModel(GPT2);
  const options = { no_repeat_ngram_size: 1, suppress_tokens: allBut(9, 33, 66, 87), eos_token_id: null };
  await refuses(
    () => m.generate({ input_ids: [[3], IDS] }, { ...options, max_new_tokens: 3 }),
    OptionError,
    /^generate: step 3: no token is allowed in row 1;/,
  );
});

test("the rows that a stream can finish are streamed before it throws", async () => {
  const m = await openModel(GPT2);
  const options = { max_new_tokens: 2, no_repeat_ngram_size: 1, suppress_tokens: allBut(33, 66), eos_token_id: null };
  const ids: number[] = [];
  await refuses(
    async () => {
      for await (const { token_ids } of m.stream({ input_ids: [IDS] }, options)) ids.push(...token_ids);
    },
    OptionError,
    /^generate: step 2: no token is allowed in row 0;/,
  );
  assert.equal(ids, [66]);
});

const PROCESSORS: Readonly<Record<string, LogitsProcessor>> = {
  "written in place": (_, scores) => scores.forEach((row) => row.fill(-Infinity, 0, 90)),
  "returned as arrays": (_, scores) =>
    scores.map((row) => Array.from(row, (score, id) => (id < 90 ? -Infinity : score))),
  "returned by a promise": async (_, scores) => scores.map((row) => row.map((score, id) => (id < 90 ? -1e39 : score))),
};
for (const [name, logits_processor] of Object.entries(PROCESSORS))
  for (const options of [{}, { num_beams: 3 }, { do_sample: true, seed: 3 }])
    test(`H3: -Infinity of a logits_processor, ${name}, bans with ${JSON.stringify(options)}`, async () => {
      const m = await openModel(GPT2);
      const same = { ...options, max_new_tokens: 4 };
      const inputs = { input_ids: [IDS, [2]] };
      const suppress_tokens = Array.from({ length: 90 }, (_, id) => id);
      const want = await m.generate(inputs, { ...same, suppress_tokens });
      assert.equal((await m.generate(inputs, { ...same, logits_processor })).sequences, want.sequences);
    });

test("C8: what a logits_processor may not leave is refused with step and row", async () => {
  const m = await openModel(GPT2);
  const wrong: readonly (readonly [LogitsProcessor, RegExp])[] = [
    [
      (_, [, row]) => void (row[3] = NaN),
      /^generate: step 1: logits_processor: row 1 must have finite scores or -Infinity, got NaN for 3$/,
    ],
    [(_, [row]) => void (row[0] = Infinity), /row 0 must have finite scores or -Infinity, got Infinity for 0$/],
    [(_, scores) => scores.slice(1), /^generate: logits_processor: must return 2 rows of 97 scores or nothing/],
    [(_, scores) => scores.map((row) => row.slice(1)), /row 0 must have 97 scores/],
    [
      (() => 5) as unknown as LogitsProcessor,
      /^generate: logits_processor: must return 2 rows of 97 scores or nothing, got 5/,
    ],
    [(_, scores) => scores.forEach((row) => row.fill(-Infinity)), STUCK],
  ];
  for (const [logits_processor, message] of wrong)
    await refuses(
      () => m.generate({ input_ids: [IDS, [2]] }, { max_new_tokens: 3, logits_processor }),
      OptionError,
      message,
    );
});

test("C8: logits that are not finite name the step and the row", async () => {
  const gpu = await device();
  const m = await load(folder("tests/fixtures/llama"), { gpu });
  const table = m.weights.get("decoder.embed_tokens.weight");
  const [values] = (await gpu.read(table)) as Float32Array<ArrayBuffer>[];
  gpu.write(table, values.fill(NaN, 50 * table.shape[1], 51 * table.shape[1]));
  const rows = [IDS, [2], [7, 50], [3]];
  for (const options of [{}, { num_beams: 3 }, { do_sample: true, num_return_sequences: 2 }, { logits_processor() {} }])
    await refuses(
      () => m.generate({ input_ids: rows }, { ...options, max_new_tokens: 4 }),
      InputError,
      /^generate: step 1: logits must be finite, those of row 2 are not; .* generate the others without row 2$/,
    );
  const others = await m.generate({ input_ids: rows.filter((row) => !row.includes(50)) }, { max_new_tokens: 1 });
  assert.is(others.sequences.length, 3);
  m.dispose();
});

test("A10: token_scores of samples are log-probabilities among the tokens that may be drawn", async () => {
  const m = await openModel(GPT2);
  const options = { do_sample: true, seed: 5, max_new_tokens: 6, output_scores: true };
  const { token_scores: sure } = await m.generate({ input_ids: [IDS] }, { ...options, top_k: 1 });
  assert.equal(
    sure![0].map((score) => Math.abs(score)),
    sure![0].map(() => 0),
  );
  const { token_scores: two } = await m.generate({ input_ids: [IDS] }, { ...options, top_k: 2, temperature: 1e4 });
  for (const score of two![0]) assert.ok(Math.abs(score + Math.LN2) < 0.01, String(score)); // two tokens, nearly equal
});

for (const [name, path] of [
  ["step", "llama"],
  ["prompt", "llama"],
  ["encode", "marian"],
])
  test(`L3: a call whose plan "${name}" cannot be prepared leaves nothing on the device`, async () => {
    const own = await device();
    const m = await load(folder(`tests/fixtures/${path}`), {
      gpu: {
        ...own,
        prepare: (...args) =>
          args[0].name === name ? Promise.reject(new Error(`no room for ${name}`)) : own.prepare(...args),
      },
    });
    const before = own.use().total;
    await refuses(() => m.generate({ input_ids: [IDS] }, { max_new_tokens: 2 }), Error, /no room for/);
    assert.is(own.use().total, before);
    m.dispose();
  });

test(
  "P2: a step in flight that fails after another did is nobody's unhandled rejection",
  async () => {
    const own = await device();
    let runs = 0;
    const failing = {
      ...own,
      async prepare(...args: Parameters<typeof own.prepare>) {
        const prepared = await own.prepare(...args);
        if (args[0].name !== "step") return prepared;
        const run = async (): Promise<never> => {
          const wait = runs++ === 0 ? 30 : 1; // the later ones fail first
          await new Promise((resolve) => setTimeout(resolve, wait));
          throw new InputError(`run ${runs}`);
        };
        return { ...prepared, run, dispose: () => prepared.dispose() };
      },
    };
    const unhandled: unknown[] = [];
    const note = (event: unknown): void => void unhandled.push(event);
    const target = globalThis as unknown as {
      process?: { on: (name: string, call: typeof note) => void; off: (name: string, call: typeof note) => void };
    };
    target.process?.on("unhandledRejection", note);
    const m = await load(folder("tests/fixtures/llama"), { gpu: failing });
    await refuses(() => m.generate({ input_ids: [IDS] }, { max_new_tokens: 9 }), InputError, /run/);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.ok(runs > 1, "steps are submitted ahead");
    assert.is(unhandled.length, 0);
    target.process?.off("unhandledRejection", note);
    m.dispose();
  },
  { chrome: "tells of unhandled rejections in another way", deno: "tells of unhandled rejections in another way" },
);
