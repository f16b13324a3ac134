import { load, type Model } from "../src/index.js";
import { assert, device, folder, readJson, share, suite } from "./support/harness.js";

/** What Transformers generates with Whisper's rule of timestamps: tests/oracle/timestamps.py. */
interface Case {
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly options: Readonly<Record<string, unknown>>;
  readonly rows: number[][];
  readonly scores?: readonly number[];
}

const test = suite("timestamps");
const open = async (): Promise<Model> => load(folder("tests/differential/marian"), { gpu: await device() });

test("timestamps are those of Transformers", async () => {
  const model = await open();
  const cases = (await readJson<Case[]>("tests/fixtures/timestamps.json")).filter((_, index) => index % share === 0);
  for (const [index, { inputs, options, rows, scores }] of cases.entries()) {
    const { sequences, sequences_scores = [] } = await model.generate(inputs, options);
    assert.equal(sequences, rows, `case ${index}: ${JSON.stringify(options)}`);
    const off = (scores ?? []).map((score, r) => Math.abs(score - sequences_scores[r]) / Math.max(1, Math.abs(score)));
    assert.ok(Math.max(0, ...off) < 1e-4, `case ${index}: ${String(sequences_scores)}, want ${String(scores)}`);
  }
  assert.ok(cases.some(({ scores }) => scores));
  model.dispose();
});
