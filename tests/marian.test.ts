import { type HostTensor, load, type Model, pipeline } from "../src/index.js";
import { readGolden, worstError } from "./golden.js";
import { assert, device, readFile, runtime, suite } from "./harness.js";

/** A folder as a source that works in every runtime. */
const folder = (path: string) => (runtime === "chrome" ? new URL(path, location.href) : path);

const FOLDERS = ["tests/fixtures/marian", "models/g2p-en"];

for (const path of FOLDERS) {
  const test = suite(path);
  const golden = await readGolden(path);
  let loading: Promise<Model> | undefined;
  const model = async (): Promise<Model> => (loading ??= load(folder(path), { gpu: await device() }));
  for (const { name, kind, inputs, options, expected } of golden.cases) {
    test(name, async () => {
      const m = await model();
      if (kind === "forward") {
        const got = await m.forward(inputs as never);
        assert.ok(worstError(got.logits, golden.tensor(expected.logits)) < 2e-4);
        const encoded = got.encoder_last_hidden_state as HostTensor;
        const hidden = worstError(encoded, golden.tensor(expected.encoder_last_hidden_state), inputs.attention_mask);
        assert.ok(hidden < 2e-4, `encoder_last_hidden_state is ${hidden} off`);
        return;
      }
      const got = await m.generate(inputs as never, options);
      assert.equal(got.sequences, expected.sequences);
      got.sequences_scores?.forEach((score, row) => {
        assert.ok(Math.abs(score - (expected.sequences_scores?.[row] ?? NaN)) < 1e-4, `score of row ${row}: ${score}`);
      });
      assert.is(got.sequences_scores?.length, expected.sequences_scores?.length);
    });
  }
  test("launches keep to the budget", async () => {
    const { stats } = await (await model()).generate({ input_ids: [[5, 6, 7, 0]] }, { num_beams: 4, max_new_tokens: 3 });
    const { decoder: { layers } } = (await model()).architecture;
    assert.equal(stats.launches, { encoder_layer: 7, decoder_layer: 11, outside: 4, step: 11 * layers + 4 });
  });
  test("gives all its memory back", async () => {
    const held = async (): Promise<number> => {
      const { total, staging } = (await device()).use(); // staging buffers stay for the next read, whoever reads
      return total - staging;
    };
    const before = await held();
    const m = await load(folder(path), { gpu: await device() });
    await m.generate({ input_ids: [[5, 6, 0]] }, { num_beams: 2, max_new_tokens: 4 });
    m.dispose();
    assert.is(await held(), before);
  });
}

const words = suite("g2p-en, 1,000 held-out words");

words("has the word error rate of its README with 4 beams: 28.2%", async () => {
  const lines = new TextDecoder().decode(await readFile("models/g2p-en/heldout.tsv")).trim().split("\n").slice(0, 1000);
  const entries = lines.map((line) => line.split("\t"));
  const speak = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  try {
    const results = await speak(entries.map(([word]) => word), { num_beams: 4 });
    const wrong = results.filter(([best], index) => !entries[index].slice(1).includes(best.generated_text)).length;
    assert.ok(Math.abs(wrong / 10 - 28.2) < 0.1, `word error rate is ${wrong / 10}%`);
  } finally {
    speak.dispose();
  }
});
