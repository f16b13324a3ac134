import { type HostTensor, load, type Model } from "../src/index.js";
import { readGolden, worstError } from "./golden.js";
import { assert, device, runtime, suite } from "./harness.js";

/** A folder as a source that works in every runtime. */
export const folder = (path: string): string | URL => (runtime === "chrome" ? new URL(path, location.href) : path);

/** Declares the tests of a checkpoint folder: every reference case, launch counts, and that it gives its memory back. */
export async function checkCheckpoint(path: string): Promise<void> {
  const test = suite(path);
  const golden = await readGolden(path);
  let loading: Promise<Model> | undefined;
  const model = async (): Promise<Model> => (loading ??= load(folder(path), { gpu: await device() }));

  for (const { name, kind, inputs, options, expected } of golden.cases) {
    test(name, async () => {
      const m = await model();
      if (kind === "forward") {
        const got = await m.forward(inputs as never);
        const mask = m.architecture.encoder ? undefined : inputs.attention_mask;
        const error = worstError(got.logits, golden.tensor(expected.logits), mask);
        assert.ok(error < 2e-4, `logits are ${error} off`);
        if (!expected.encoder_last_hidden_state) return;
        const states = golden.tensor(expected.encoder_last_hidden_state);
        const hidden = worstError(got.encoder_last_hidden_state as HostTensor, states, inputs.attention_mask);
        assert.ok(hidden < 2e-4, `encoder_last_hidden_state is ${hidden} off`);
        return;
      }
      const got = await m.generate(inputs as never, options);
      assert.equal(got.sequences, expected.sequences);
      assert.is(got.sequences_scores?.length, expected.sequences_scores?.length);
      got.sequences_scores?.forEach((score, row) => {
        const want = expected.sequences_scores?.[row] ?? NaN;
        // Scores near -300 (length_penalty -1) carry f32's own error of about 1e-6 of them, in the references too.
        assert.ok(Math.abs(score - want) < 1e-4 * Math.max(1, Math.abs(want)), `score of row ${row} must be ${want}, got ${score}`);
      });
    });
  }

  test("launches keep to the budget", async () => {
    const { architecture: { encoder, decoder, placement }, generate } = await model();
    const { stats } = await generate({ input_ids: [[5, 6, 7, 0]] }, { num_beams: 4, max_new_tokens: 3 });
    const layer = encoder ? 11 : 7;
    const outside = placement === "pre" ? 5 : 4; // the last norm
    assert.equal(stats.launches, { encoder_layer: encoder ? 7 : 0, decoder_layer: layer, outside, step: layer * decoder.layers + outside });
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
