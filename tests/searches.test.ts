import { load, type Model, OptionError } from "../src/index.js";
import { assert, device, folder, readJson, refuses, share, suite } from "./support/harness.js";

/** What beam searches that Transformers has not find over the same probabilities: tests/oracle/searches.py. */
type Case = readonly [
  family: string,
  inputs: { readonly input_ids: number[][]; readonly decoder_input_ids?: number[][] },
  options: Readonly<Record<string, unknown>>,
  rows: number[][],
  scores: number[],
  log_probs: number[],
];

const CHROME = {
  chrome: "the pipelines of every number of beams would take minutes; the kernel's test stands for them",
};
const test = suite("searches", CHROME);
const open = async (family: string): Promise<Model> =>
  load(folder(`tests/differential/${family}`), { gpu: await device() });
const near = (got: number, want: number): boolean => Math.abs(got - want) < 1e-4 * Math.max(1, Math.abs(want));

/** Rows without the padding before and after them. */
const trimmed = ({ sequences, lengths }: { sequences: number[][]; lengths: number[] }, want: number[][]): number[][] =>
  sequences.map((row, r) => row.slice(lengths[r] - want[r].length, lengths[r]));

const cases = async (keep: (one: Case) => boolean): Promise<Case[]> =>
  (await readJson<Case[]>("tests/fixtures/searches.json")).filter(keep).filter((_, index) => index % share === 0);

const TOGETHER = 8; // calls that run at once

/** Throws unless a case comes out as it must. */
async function check(model: Model, [, inputs, options, rows, scores, logProbs]: Case): Promise<void> {
  const attention_mask = inputs.input_ids.map((row) => row.map(() => 1)); // the padding token is a token here
  const call = { output_scores: true, ...options };
  const result = await model.generate({ ...inputs, attention_mask }, call);
  const told = JSON.stringify([inputs, options]);
  assert.equal(trimmed(result, rows), rows, told);
  for (let r = 0; r < rows.length; r++) {
    const [score, sum] = [result.sequences_scores![r], result.token_scores![r].reduce((sum, one) => sum + one, 0)];
    assert.ok(near(score, scores[r]), `${told}: score of row ${r}: ${scores[r]}, got ${score}`);
    assert.ok(near(sum, logProbs[r]), `${told}: log-probability of row ${r}: ${logProbs[r]}, got ${sum}`);
  }
}

async function checkAll(family: string, keep: (one: Case) => boolean): Promise<void> {
  const model = await open(family);
  const left = await cases((one) => one[0] === family && keep(one));
  assert.ok(left.length > 0);
  const worker = async (): Promise<void> => {
    for (let one = left.shift(); one; one = left.shift()) await check(model, one);
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
  model.dispose();
}

for (const family of ["marian", "gpt2", "llama"])
  test(`${family}: tokens, ranks and scores of OpenNMT's search`, () =>
    checkAll(family, ([, , { search, coverage_penalty }]) => search === "opennmt" && coverage_penalty === undefined));
test("marian: tokens, ranks and scores of OpenNMT's search with coverage", () =>
  checkAll("marian", ([, , { coverage_penalty }]) => coverage_penalty !== undefined));
for (const family of ["marian", "gpt2"])
  test(`${family}: tokens, ranks and scores of a patient search`, () =>
    checkAll(family, ([, , { patience }]) => patience !== undefined));

const SOURCES = Array.from({ length: 16 }, (_, b) =>
  Array.from({ length: 1 + (b % 7) }, (_, i) => 1 + ((13 * b + 29 * i) % 84)),
);
const END = Array.from({ length: 26 }, (_, i) => 3 * i);
const MOST = Array.from({ length: 90 }, (_, i) => i);
const OPTIONS = {
  search: "opennmt",
  num_beams: 3,
  num_return_sequences: 3,
  eos_token_id: END,
  length_penalty: 0.6,
  max_new_tokens: 40,
} as const;

test("a row of a batch is what it is alone, also after sentences were left out", async () => {
  const model = await open("marian");
  const options = { ...OPTIONS, eos_token_id: MOST };
  const together = await model.generate({ input_ids: SOURCES }, options);
  assert.ok(together.stats.compactions > 0);
  const width = together.sequences[0].length;
  for (const [b, source] of SOURCES.entries()) {
    const { sequences, sequences_scores } = await model.generate({ input_ids: [source] }, options);
    const padded = sequences.map((row) => [...row, ...Array<number>(width - row.length).fill(98)]);
    assert.equal(together.sequences.slice(3 * b, 3 * b + 3), padded, `sentence ${b}`);
    assert.equal(together.sequences_scores!.slice(3 * b, 3 * b + 3), sequences_scores, `scores of sentence ${b}`);
  }
  model.dispose();
});

test("a stream and a logits_processor that changes nothing give the same", async () => {
  const model = await open("marian");
  const options = { ...OPTIONS, num_return_sequences: 1, max_new_tokens: 12 };
  const inputs = { input_ids: SOURCES.slice(0, 4) };
  const { sequences, lengths, sequences_scores } = await model.generate(inputs, options);
  const streamed = sequences.map((): number[] => []);
  for await (const { row, token_ids } of model.stream(inputs, options)) streamed[row].push(...token_ids);
  assert.equal(
    streamed,
    sequences.map((row, r) => row.slice(1, lengths[r])),
  );
  const same = await model.generate(inputs, { ...options, logits_processor: () => {} });
  assert.equal(same.sequences, sequences);
  assert.equal(
    same.sequences_scores!.map((score) => score.toFixed(4)),
    sequences_scores!.map((score) => score.toFixed(4)),
  );
  model.dispose();
});

test("coverage takes two launches more, and a row of a batch is what it is alone", async () => {
  const model = await open("marian");
  const options = { ...OPTIONS, max_new_tokens: 8, coverage_penalty: 0.3 };
  const together = await model.generate({ input_ids: SOURCES.slice(0, 5) }, options);
  const without = await model.generate({ input_ids: SOURCES.slice(0, 5) }, { ...options, coverage_penalty: 0 });
  assert.is(together.stats.launches.step, without.stats.launches.step + 2);
  for (let b = 0; b < 5; b++) {
    const { sequences_scores } = await model.generate({ input_ids: [SOURCES[b]] }, options);
    assert.equal(together.sequences_scores!.slice(3 * b, 3 * b + 3), sequences_scores, `sentence ${b}`);
  }
  model.dispose();
});

test("coverage without an encoder is refused", async () => {
  const model = await open("gpt2");
  const call = model.generate({ input_ids: [[5]] }, { ...OPTIONS, coverage_penalty: 0.3 });
  await refuses(() => call, OptionError, /^generate: coverage_penalty must be 0, gpt2 has no cross attention;/);
  model.dispose();
});

test("beams cost the same launches as in Transformers' search, and no wait of the host", async () => {
  const model = await open("marian");
  const inputs = { input_ids: SOURCES.slice(0, 2) };
  const [ours, theirs] = [
    await model.generate(inputs, { ...OPTIONS, max_new_tokens: 6 }),
    await model.generate(inputs, { ...OPTIONS, max_new_tokens: 6, search: "transformers" }),
  ];
  assert.equal(ours.stats.launches, theirs.stats.launches);
  model.dispose();
});
