import { type HostTensor, load, type Model } from "../src/index.js";
import { openModel } from "./support/checkpoint.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, device, folder, suite } from "./support/harness.js";
import { padded } from "./support/rows.js";

/** What holds for every encoder-decoder of BART's kind, whatever its weights. */
const IN_NODE = "tests of models judge no runtime: they run in Node";
const test = suite("laws of encoder-decoders", { deno: IN_NODE, chrome: IN_NODE });
const open = async (name: string): Promise<Model> => openModel(`tests/fixtures/${name}`);

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const PAD = 1; // of m2m_100, which has no position
const ids = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, t) => 3 + ((t * 7 + seed * 13) % 60));
const SOURCES = [9, 1, 30].map(ids);
const TARGETS = [6, 6, 6].map((length, seed) => ids(length, seed + 5));

/** The part of row b in a result [B,T,columns], from column `first` of T on. */
function rowOf({ dims: [B, T, columns], data }: HostTensor, b: number, first: number, length: number): Float32Array {
  assert.ok(b < B && first + length <= T);
  return data.slice((b * T + first) * columns, (b * T + first + length) * columns);
}

/**
 * Measured errors of logits with f16 and with int8 weights, relative to them: weights are random, not trained to be robust.
 * Those without an error of f16 are stored in 16 bits. The same int8 in PyTorch: 0.016, 0.228, 0.062, 0.140, 0.026.
 */
const ROUNDING: Readonly<Record<string, { readonly f16?: number; readonly int8: number }>> = {
  bart: { f16: 6.2e-4, int8: 0.016 },
  mbart: { int8: 0.229 },
  pegasus: { f16: 2.6e-3, int8: 0.062 },
  m2m_100: { int8: 0.138 },
  "marian-untied": { int8: 0.027 },
};

for (const name of Object.keys(ROUNDING)) {
  test(`${name}: a row of a batch is the row alone bit for bit, whatever side its padding is on`, async () => {
    const { forward } = await open(name);
    const batches = {
      right: await forward({ ...padded(SOURCES, "right", PAD), decoder_input_ids: TARGETS }),
      left: await forward({ ...padded(SOURCES, "left", PAD), decoder_input_ids: TARGETS }),
    };
    for (const [b, source] of SOURCES.entries()) {
      const alone = await forward({ input_ids: [source], decoder_input_ids: [TARGETS[b]] });
      for (const [side, batch] of Object.entries(batches)) {
        const first = side === "left" ? 30 - source.length : 0;
        assert.equal(
          rowOf(batch.encoder_last_hidden_state!, b, first, source.length),
          alone.encoder_last_hidden_state!.data,
        );
        assert.equal(rowOf(batch.logits!, b, 0, 6), alone.logits!.data);
      }
    }
  });

  test(`${name}: a row of a batch generates what it generates alone`, async () => {
    const { generate } = await open(name);
    const options = {
      num_beams: 3,
      num_return_sequences: 2,
      max_new_tokens: 9,
      no_repeat_ngram_size: 2,
      forced_bos_token_id: 66,
    };
    const together = await generate({ input_ids: SOURCES }, options);
    for (const [b, source] of SOURCES.entries()) {
      const solo = await generate({ input_ids: [source] }, options);
      solo.sequences.forEach((row, rank) => assert.equal(together.sequences[2 * b + rank].slice(0, row.length), row));
      assert.equal(together.sequences_scores?.slice(2 * b, 2 * b + 2), solo.sequences_scores);
    }
  });

  test(`${name}: the decoder over a whole target gives what its steps give`, async () => {
    const { decoder, forward } = await open(name);
    const targets = TARGETS.map((row, b) => row.map((id, t) => (t === 5 && b === 0 ? PAD : id)));
    const { logits } = await forward({ input_ids: SOURCES, decoder_input_ids: targets });
    const [B, T, V] = logits!.dims;
    const steps = await decoder({ input_ids: SOURCES }, { max_length: T });
    for (let t = 0; t < T; t++) {
      const step = await steps.step(targets.map((row) => row[t]));
      const want = Float32Array.from(
        { length: B * V },
        (_, i) => logits!.data[(Math.floor(i / V) * T + t) * V + (i % V)],
      );
      const error = worstError(step, { dims: [B, V], data: want });
      assert.ok(error < 1e-5 * largest(want), `step ${t} is ${error} off`);
    }
    steps.dispose();
  });

  for (const [dtype, measured] of Object.entries(ROUNDING[name]))
    test(`${name}: ${dtype} weights stay close`, async () => {
      const error = await errorOf(name, dtype as "f16" | "int8");
      assert.ok(error > 0 && error < 1.25 * measured, `${error} off`);
    });
}

/** The error of a fixture's forward passes with weights in this format, relative to the results: root mean squares. */
async function errorOf(name: string, dtype: "f16" | "int8"): Promise<number> {
  const path = `tests/fixtures/${name}`;
  const golden = await readGolden(path);
  const model = await load(folder(path), { gpu: await device(), dtype });
  let [error, size] = [0, 0];
  for (const { kind, inputs, expected } of golden.cases) {
    if (kind === "generate") continue;
    const { logits } = await model.forward(inputs);
    golden.tensor(expected.logits).data.forEach((want, i) => {
      error += (logits!.data[i] - want) ** 2;
      size += want ** 2;
    });
  }
  model.dispose();
  return Math.sqrt(error / size);
}
