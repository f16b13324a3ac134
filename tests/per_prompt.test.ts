import { load, type Model, OptionError } from "../src/index.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

const test = suite("ids for each prompt", {
  chrome: "the pipelines of every checkpoint would take minutes; marian stands for all",
});

let loading: Promise<Model> | undefined;
const model = async (): Promise<Model> => (loading ??= load(folder("tests/fixtures/marian"), { gpu: await device() }));

const SOURCES = [
  [5, 6, 7, 0],
  [9, 0],
  [11, 12, 13, 14, 15, 0],
  [8, 8, 0],
  [20, 21, 0],
];
const FIRST = [30, 41, 52, 30, 63];

for (const options of [
  {},
  { num_beams: 3, num_return_sequences: 2 },
  { num_beams: 4, num_beam_groups: 2, diversity_penalty: 0.5 },
])
  test(`each prompt begins with its own forced token, as alone: ${JSON.stringify(options)}`, async () => {
    const { generate } = await model();
    const all = { ...options, max_new_tokens: 40, no_repeat_ngram_size: 2 };
    const together = await generate({ input_ids: SOURCES }, { ...all, forced_bos_token_id: FIRST });
    const each = together.sequences.length / SOURCES.length;
    for (const [b, ids] of SOURCES.entries()) {
      const alone = await generate({ input_ids: [ids] }, { ...all, forced_bos_token_id: FIRST[b] });
      alone.sequences.forEach((row, rank) => {
        const at = b * each + rank;
        assert.is(row[1], FIRST[b]);
        assert.equal(together.sequences[at].slice(0, together.lengths[at]), row.slice(0, alone.lengths[rank]));
        assert.is(together.sequences_scores?.[at], alone.sequences_scores?.[rank]);
      });
    }
  });

test("each prompt begins with its own start token, as alone, before given targets too", async () => {
  const { generate } = await model();
  const options = { num_beams: 2, max_new_tokens: 6 };
  for (const targets of [undefined, [[7], [8], [9], [10], [52, 11]]]) {
    const inputs = (rows: number[]) => ({
      input_ids: rows.map((b) => SOURCES[b]),
      ...(targets && { decoder_input_ids: rows.map((b) => [FIRST[b], ...targets[b]]) }),
    });
    const rows = [0, 1, 2, 4];
    const starts = rows.map((b) => FIRST[b]);
    const together = await generate(inputs(rows), { ...options, decoder_start_token_id: starts });
    for (const [at, b] of rows.entries()) {
      const alone = await generate(inputs([b]), { ...options, decoder_start_token_id: FIRST[b] });
      const tokens = together.sequences[at].slice(0, together.lengths[at]).slice(-alone.lengths[0]);
      assert.equal(tokens, alone.sequences[0]);
      assert.is(together.sequences_scores?.[at], alone.sequences_scores?.[0]);
    }
  }
});

test("another language needs no other plan", async () => {
  const { generate, gpu } = await model();
  const run = (forced_bos_token_id: number[]) =>
    generate({ input_ids: SOURCES.slice(0, 2) }, { forced_bos_token_id, max_new_tokens: 3 });
  await run([30, 31]);
  const before = gpu.use().total;
  assert.equal(
    (await run([41, 30])).sequences.map((row) => row[1]),
    [41, 30],
  );
  assert.is(gpu.use().total, before);
});

test("lists of another length are refused", async () => {
  const { generate } = await model();
  for (const name of ["forced_bos_token_id", "decoder_start_token_id"])
    await refuses(
      () => generate({ input_ids: SOURCES }, { [name]: [5, 6], max_new_tokens: 2 }),
      OptionError,
      new RegExp(`^generate: ${name} must be one id, or one for each of the 5 prompts, got 2$`),
    );
});
