import { type GenerateOptions, load, type Model, OptionError } from "../src/index.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";
import { tinyMarian } from "./support/tiny.js";

const test = suite("alternatives after a prefix", {
  chrome: "the pipelines of every checkpoint would take minutes; marian stands for all",
  deno: "it is two searches, whose own tests run here",
});

let loading: Promise<Model> | undefined;
const model = async (): Promise<Model> => (loading ??= load(folder("tests/fixtures/marian"), { gpu: await device() }));

const START = 96; // of the fixture
const SOURCES = [
  [5, 6, 7, 0],
  [9, 0],
  [11, 12, 13, 14, 15, 0],
];
const PREFIXES = [[START, 30, 31], [START], [START, 40]];

/** Log-probabilities of all tokens after each prefix, by one pass over it. */
async function nextLogProbs({ forward }: Model, ids: readonly number[], prefix: readonly number[]): Promise<number[]> {
  const { logits } = await forward({ input_ids: [ids], decoder_input_ids: [prefix] });
  const V = logits!.dims[2];
  const row = [...logits!.data.slice(-V)];
  const top = Math.max(...row);
  const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return row.map((value) => value - top - total);
}

/** The best tokens but the end token, as alternatives must begin. */
const bestOf = (logProbs: readonly number[], count: number): number[] =>
  logProbs
    .map((_, id) => id)
    .filter((id) => id !== 0)
    .sort((a, b) => logProbs[b] - logProbs[a])
    .slice(0, count);

/** The search itself where only one token may come first: what each alternative must give. */
const only = (id: number, length: number): GenerateOptions => ({
  logits_processor: (ids, scores) => {
    if (ids[0].length > length) return;
    for (const row of scores) row.forEach((score, v) => (row[v] = v === id ? score : -Infinity));
  },
});

const close = (got: number, want: number): void =>
  assert.ok(Math.abs(got - want) < 1e-4, `must be ${want}, got ${got}`);

for (const search of [
  { num_beams: 1 },
  { num_beams: 3, length_penalty: 0.6 },
  { num_beams: 3, patience: 0.5 },
  { num_beams: 3, search: "opennmt" },
  { num_beams: 4, early_stopping: true, repetition_penalty: 1.3, no_repeat_ngram_size: 2, min_new_tokens: 4 },
] as const)
  test(`each alternative is what the search gives where nothing else may come first: ${JSON.stringify(search)}`, async () => {
    const m = await model();
    const options = { ...search, max_new_tokens: 9 };
    const power = "length_penalty" in search ? 0.6 : "search" in search ? 0 : 1;
    const together = await m.generate(
      { input_ids: SOURCES, decoder_input_ids: PREFIXES },
      { ...options, return_alternatives: true, num_return_sequences: 5, output_scores: true },
    );
    assert.equal(together.alternatives, [5, 5, 5]);
    assert.is(together.sequences.length, 15);
    const width = 3; // prompts end in one column
    for (const [b, ids] of SOURCES.entries()) {
      const prefix = PREFIXES[b];
      const logProbs = await nextLogProbs(m, ids, prefix);
      const rows = [0, 1, 2, 3, 4].map((i) => 5 * b + i);
      const first = rows.map((r) => together.sequences[r][width]);
      if (!("repetition_penalty" in search)) assert.equal(first, bestOf(logProbs, 5));
      assert.is(new Set(first).size, 5);
      for (const r of rows) {
        const token = together.sequences[r][width];
        const row = together.sequences[r].slice(width - prefix.length, together.lengths[r]);
        const inputs = { input_ids: [ids], decoder_input_ids: [prefix] };
        const alone = await m.generate(inputs, { ...options, ...only(token, prefix.length) });
        assert.equal(row, alone.sequences[0].slice(0, alone.lengths[0]));
        const token_scores = together.token_scores![r];
        assert.is(token_scores.length, row.length - prefix.length);
        if (!("repetition_penalty" in search)) close(token_scores[0], logProbs[token]);
        const score = token_scores.reduce((sum, one) => sum + one, 0) / token_scores.length ** power;
        close(together.sequences_scores![r], score);
        if (search.num_beams > 1) close(together.sequences_scores![r], alone.sequences_scores![0]);
      }
      const solo = await m.generate(
        { input_ids: [ids], decoder_input_ids: [prefix] },
        { ...options, return_alternatives: true, num_return_sequences: 5 },
      );
      rows.forEach((r, i) => {
        const own = solo.sequences[i].slice(0, solo.lengths[i]);
        assert.equal(own, together.sequences[r].slice(width - prefix.length, together.lengths[r]));
        assert.is(solo.sequences_scores![i], together.sequences_scores![r]);
      });
    }
  });

test("greedy alternatives are scored as score() does", async () => {
  const m = await model();
  const { sequences, sequences_scores, lengths } = await m.generate(
    { input_ids: SOURCES.slice(0, 1) },
    { return_alternatives: true, num_return_sequences: 3, max_new_tokens: 6, num_beams: 1 },
  );
  for (const [i, row] of sequences.entries()) {
    const tokens = row.slice(1, lengths[i]);
    const [scores] = await m.score({ input_ids: SOURCES.slice(0, 1) }, [tokens]);
    close(sequences_scores![i], scores.reduce((sum, one) => sum + one, 0) / tokens.length);
  }
});

test("next tokens that are less probable than wanted are left out, by each input", async () => {
  const m = await model();
  const input = { input_ids: SOURCES, decoder_input_ids: PREFIXES };
  const options = { return_alternatives: true, num_return_sequences: 8, max_new_tokens: 4, num_beams: 2 };
  const all = await m.generate(input, options);
  const probs = await Promise.all(
    SOURCES.map(async (ids, b) => (await nextLogProbs(m, ids, PREFIXES[b])).map(Math.exp)),
  );
  const least = 0.04;
  const some = await m.generate(input, { ...options, min_alternative_expansion_prob: least });
  const wanted = probs.map((own) => own.filter((prob, id) => id !== 0 && prob >= least).length);
  assert.ok(new Set(wanted).size > 1 && Math.max(...wanted) < 8, String(wanted));
  assert.equal(some.alternatives, wanted);
  let at = 0;
  for (const [b, count] of wanted.entries())
    for (let i = 0; i < count; i++, at++) {
      const own = some.sequences[at].slice(0, some.lengths[at]);
      assert.equal(own, all.sequences[8 * b + i].slice(0, all.lengths[8 * b + i]));
    }
  const none = await m.generate(input, { ...options, min_alternative_expansion_prob: 1 });
  assert.equal([none.alternatives, none.sequences], [[0, 0, 0], []]);
});

test("one new token, a prefix that has ended, one alternative, and no token that is allowed", async () => {
  const m = await model();
  const input_ids = SOURCES.slice(0, 1);
  const options = { return_alternatives: true, num_return_sequences: 4 };
  const one = await m.generate({ input_ids }, { ...options, max_new_tokens: 1 });
  const best = bestOf(await nextLogProbs(m, SOURCES[0], [START]), 4);
  assert.equal(
    one.sequences,
    best.map((id) => [START, id]),
  );
  const ended = [[START, 30, 0]];
  const after = await m.generate({ input_ids, decoder_input_ids: ended }, { ...options, max_new_tokens: 3 });
  assert.equal(after.alternatives, [4]);
  assert.ok(after.sequences.every((row) => row[2] === 0 && row[3] !== 0));
  const [single] = (await m.generate({ input_ids }, { ...options, num_return_sequences: 1, max_new_tokens: 5 }))
    .sequences;
  assert.is(single[1], best[0]);
  const forced = await m.generate({ input_ids }, { ...options, forced_bos_token_id: 7, max_new_tokens: 3 });
  assert.equal([forced.alternatives, forced.sequences.map((row) => row[1])], [[1], [7]]);
  const last = { ...options, forced_eos_token_id: 0, max_new_tokens: 3 };
  const ends = (await m.generate({ input_ids }, last)).sequences;
  assert.equal(
    ends.map((row) => [row[1], row[3]]),
    best.map((id) => [id, 0]),
  );
  const only = (await m.generate({ input_ids }, { ...last, max_new_tokens: 1 })).sequences;
  assert.equal(only, one.sequences);
  const suppress_tokens = Array.from({ length: 97 }, (_, id) => id);
  await refuses(
    () => m.generate({ input_ids }, { ...options, suppress_tokens, max_new_tokens: 2 }),
    OptionError,
    /step 1: no token is allowed/,
  );
});

test("a vocabulary smaller than what is asked for gives what it has", async () => {
  const m = await load(tinyMarian({ D: 8, V: 6, layers: 1 }, 3), { gpu: await device() });
  const options = { return_alternatives: true, num_return_sequences: 12, max_new_tokens: 4 };
  for (const num_beams of [1, 3]) {
    const { alternatives, sequences } = await m.generate(
      {
        input_ids: [
          [1, 2, 0],
          [3, 0],
        ],
      },
      { ...options, num_beams },
    );
    assert.equal(alternatives, [5, 5]); // all but the end token
    assert.equal(
      sequences
        .slice(0, 5)
        .map((row) => row[1])
        .sort((a, b) => a - b),
      [1, 2, 3, 4, 5],
    );
  }
  m.dispose();
});

test("decoder-only models have alternatives too", async () => {
  const m = await load(folder("tests/fixtures/gpt2"), { gpu: await device() });
  const input_ids = [[5, 6, 7], [9]];
  const options = { num_beams: 2, max_new_tokens: 5 };
  const { sequences, alternatives, lengths } = await m.generate(
    { input_ids },
    { ...options, return_alternatives: true, num_return_sequences: 3 },
  );
  assert.equal(alternatives, [3, 3]);
  for (const [r, row] of sequences.entries()) {
    const b = Math.floor(r / 3);
    const own = row.slice(3 - input_ids[b].length, lengths[r]);
    const alone = await m.generate({ input_ids: [input_ids[b]] }, { ...options, ...only(row[3], input_ids[b].length) });
    assert.equal(own, alone.sequences[0].slice(0, alone.lengths[0]));
  }
  m.dispose();
});

test("alternatives go on in smaller batches, and after a past, as alone", async () => {
  const m = await model();
  const input_ids = Array.from({ length: 9 }, (_, b) => [5 + 7 * b, 6 + b, 30 + b, 0]);
  const options = {
    return_alternatives: true,
    num_return_sequences: 4,
    num_beams: 2,
    max_new_tokens: 50,
    no_repeat_ngram_size: 2,
  };
  const together = await m.generate({ input_ids }, options);
  assert.ok(together.stats.compactions > 0);
  for (const b of [0, 4, 8]) {
    const alone = await m.generate({ input_ids: [input_ids[b]] }, options);
    alone.sequences.forEach((row, i) => {
      const own = together.sequences[4 * b + i].slice(0, together.lengths[4 * b + i]);
      assert.equal(own, row.slice(0, alone.lengths[i]));
      assert.is(together.sequences_scores![4 * b + i], alone.sequences_scores![i]);
    });
  }
  const gpt2 = await load(folder("tests/fixtures/gpt2"), { gpu: await device() });
  const past_key_values = await gpt2.past({ input_ids: [[5, 6, 7], [9]] });
  const short = { ...options, max_new_tokens: 5 };
  const continued = await gpt2.generate({ past_key_values, input_ids: [[4], [8]] }, short);
  const whole = await gpt2.generate(
    {
      input_ids: [
        [5, 6, 7, 4],
        [9, 8],
      ],
    },
    short,
  );
  assert.equal(continued.sequences, whole.sequences);
  past_key_values.dispose();
  gpt2.dispose();
});

test("options that do not go with alternatives are refused", async () => {
  const m = await model();
  const input = { input_ids: SOURCES };
  const refused = (options: GenerateOptions, message: RegExp) =>
    refuses(() => m.generate(input, options), OptionError, message);
  await refused({ min_alternative_expansion_prob: 0.1 }, /acts only with return_alternatives: true/);
  await refused({ return_alternatives: true, do_sample: true }, /do_sample must be absent with return_alternatives/);
  await refused(
    { return_alternatives: true, num_beams: 4, num_beam_groups: 2, diversity_penalty: 1 },
    /num_beam_groups must be absent/,
  );
  await refused(
    { return_alternatives: true, num_beams: 2, search: "opennmt", coverage_penalty: 0.2 },
    /coverage_penalty must be absent with return_alternatives/,
  );
  await refused({ return_alternatives: true, stop_strings: "a" }, /stop_strings must be absent/);
  await refuses(
    async () => {
      for await (const event of m.stream(input, { return_alternatives: true }))
        assert.unreachable(JSON.stringify(event));
    },
    OptionError,
    /^stream: return_alternatives must be absent/,
  );
});
