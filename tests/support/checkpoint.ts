import { type HostTensor, load, type Model } from "../../src/index.js";
import type { DecoderArchitecture } from "../../src/model/graph/architecture.js";
import { readGolden, worstError } from "./golden.js";
import { assert, device, readJson, runtime, suite } from "./harness.js";

/** A folder as a source that works in every runtime. */
export const folder = (path: string): string | URL => (runtime === "chrome" ? new URL(path, location.href) : path);

const ENCODERS = new Set(["bert", "roberta", "distilbert"]);

const isGenerative = async (path: string): Promise<boolean> =>
  !ENCODERS.has((await readJson<{ model_type: string }>(`${path}/config.json`)).model_type);

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
        const got = (await m.forward(inputs as never)) as Readonly<Record<string, HostTensor>>;
        assert.equal(Object.keys(got).sort(), Object.keys(expected).sort());
        for (const [output, key] of Object.entries(expected)) {
          // Only what stands at tokens of input_ids is masked: not the logits of targets, nor one row a sentence.
          const masked =
            got[output].dims.length === 3 && !(output === "logits" && m.architecture.encoder && m.architecture.decoder);
          const error = worstError(
            got[output],
            golden.tensor(key as string),
            masked ? inputs.attention_mask : undefined,
          );
          assert.ok(error < 2e-4, `${output} is ${error} off`);
        }
        return;
      }
      const got = await m.generate(inputs, options);
      assert.equal(got.sequences, expected.sequences);
      assert.is(got.sequences_scores?.length, expected.sequences_scores?.length);
      got.sequences_scores?.forEach((score, row) => {
        const want = expected.sequences_scores?.[row] ?? NaN;
        // Scores near -300 (length_penalty -1) carry f32's own error of about 1e-6 of them, in the references too.
        assert.ok(
          Math.abs(score - want) < 1e-4 * Math.max(1, Math.abs(want)),
          `score of row ${row} must be ${want}, got ${score}`,
        );
      });
    });
  }

  if (!(await isGenerative(path))) return;

  test("launches keep to the budget", async () => {
    const { architecture, generate } = await model();
    const { encoder, decoder, placement } = architecture as DecoderArchitecture;
    const { stats } = await generate({ input_ids: [[5, 6, 7, 0]] }, { num_beams: 4, max_new_tokens: 3 });
    const layer = encoder ? 11 : 7;
    const outside = placement === "pre" ? 5 : 4; // the last norm
    assert.equal(stats.launches, {
      encoder_layer: encoder ? 7 : 0,
      decoder_layer: layer,
      outside,
      step: layer * decoder.layers + outside,
    });
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
