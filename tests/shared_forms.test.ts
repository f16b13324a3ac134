import { type HostTensor, load, type Model } from "../src/index.js";
import type { DecoderArchitecture } from "../src/model/graph/architecture.js";
import { type Gpu, gpu as openGpu } from "../src/runtime/gpu.js";
import { folder } from "./support/checkpoint.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, suite } from "./support/harness.js";

/** Launches of a decoder layer at a step: norms ride in the linear layers behind them where GPU forms run. */
const LAYER: Readonly<Record<string, number>> = { marian: 11, gpt2: 5, llama: 5 };

let opening: Promise<Gpu> | undefined;
const device = (): Promise<Gpu> => (opening ??= openGpu({ form: "shared", tuned: false, guard: true }));

for (const [family, launches] of Object.entries(LAYER)) {
  const path = `tests/fixtures/${family}`;
  const test = suite(`${path} in shared forms`);
  const golden = await readGolden(path);
  let loading: Promise<Model> | undefined;
  const model = async (): Promise<Model> => (loading ??= load(folder(path), { gpu: await device() }));

  for (const { name, kind, inputs, options, expected } of golden.cases) {
    test(name, async () => {
      const m = await model();
      if (kind === "forward") {
        const got = (await m.forward(inputs as never)) as Readonly<Record<string, HostTensor>>;
        for (const [output, key] of Object.entries(expected)) {
          const masked = !(output === "logits" && m.architecture.encoder && m.architecture.decoder);
          const error = worstError(
            got[output],
            golden.tensor(key as string),
            masked ? inputs.attention_mask : undefined,
          );
          assert.ok(error < 2e-4, `${output} is ${error} off`);
        }
        return;
      }
      const { sequences, sequences_scores } = await m.generate(inputs, options);
      assert.equal(sequences, expected.sequences);
      expected.sequences_scores?.forEach((want, row) => {
        const score = sequences_scores?.[row] ?? NaN;
        assert.ok(
          Math.abs(score - want) < 1e-4 * Math.max(1, Math.abs(want)),
          `score of row ${row} must be ${want}, got ${score}`,
        );
      });
    });
  }

  test("launches keep to the budget", async () => {
    const { architecture, generate } = await model();
    const { decoder, placement } = architecture as DecoderArchitecture;
    const { stats } = await generate({ input_ids: [[5, 6, 7, 0]] }, { num_beams: 4, max_new_tokens: 3 });
    assert.is(stats.launches.decoder_layer, launches);
    assert.is(stats.launches.step, launches * decoder.layers + stats.launches.outside);
    assert.ok(placement === "pre" || stats.launches.outside === 4);
  });
}
