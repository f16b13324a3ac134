import {
  type HostTensor,
  InputError,
  countLaunches,
  load,
  type Model,
  OptionError,
  record,
  tensor,
  verify,
} from "../src/index.js";
import { encodeAll } from "../src/model/encode/batches.js";
import { encoder } from "../src/model/graph/encoder.js";
import { head } from "../src/model/graph/heads.js";
import { type EncoderInput, packRows, packSpans } from "../src/model/inputs.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";
import { padded } from "./support/rows.js";

const test = suite("laws of encoders");
const FIXTURES = ["bert", "bert-token-classifier", "bert-sequence-classifier", "roberta", "distilbert"];
const open = async (name: string, dtype?: "f16" | "int8"): Promise<Model> =>
  load(folder(name.includes("/") ? name : `tests/fixtures/${name}`), { gpu: await device(), dtype });

const ids = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, t) => 5 + ((t * 7 + seed * 13) % 90));

for (const name of FIXTURES) {
  test(`${name}: a row of a batch equals the row alone bit for bit, whatever side its padding is on`, async () => {
    const model = await open(name);
    const rows = [9, 1, 23, 40, 4].map(ids);
    for (const side of ["right", "left"] as const) {
      const left = side === "left";
      const batch = await model.forward(padded(rows, side), { batch_tokens: left ? 50 : 2048 });
      for (const [b, row] of rows.entries()) {
        const alone = await model.forward({ input_ids: [row] });
        for (const key of Object.keys(alone) as ("logits" | "last_hidden_state" | "pooler_output")[]) {
          const [own, all] = [alone[key] as HostTensor, batch[key] as HostTensor];
          const columns = own.dims[own.dims.length - 1];
          const stride = all.data.length / rows.length;
          const first = b * stride + (own.dims.length === 3 && left ? stride - row.length * columns : 0);
          assert.equal(all.data.slice(first, first + own.data.length), own.data, `${key} of row ${b}`);
        }
      }
    }
    model.dispose();
  });

  // Measured, at the worst of all elements, of size 1 to 5: f16 4.0e-3, int8 0.19 (weights are random, not trained to be robust).
  for (const [dtype, bound] of [
    ["f16", 5e-3],
    ["int8", 0.25],
  ] as const) {
    test(`${name}: ${dtype} weights stay within ${bound}`, async () => {
      const model = await open(name, dtype);
      const golden = await readGolden(`tests/fixtures/${name}`);
      let worst = 0;
      for (const { inputs, expected } of golden.cases) {
        const got = (await model.forward(inputs)) as Readonly<Record<string, HostTensor>>;
        for (const [output, key] of Object.entries(expected)) {
          const mask = got[output].dims.length === 3 ? inputs.attention_mask : undefined;
          worst = Math.max(worst, worstError(got[output], golden.tensor(key as string), mask));
        }
      }
      assert.ok(worst > 1e-5 && worst < bound, `${worst} off`);
      model.dispose();
    });
  }
}

test("every launch of an encoder with its head agrees with its reference", async () => {
  const gpu = await device();
  for (const name of FIXTURES) {
    const model = await open(name);
    const { architecture: a, dispose } = model;
    const sentences = [ids(17, 1), ids(3, 2), ids(30, 3)];
    const N = sentences.flat().length;
    const [rows, spans] = [tensor("rows", "u32", [N, 4]), tensor("spans", "u32", [3, 2])];
    gpu.write(
      rows,
      packRows(
        sentences,
        [],
        sentences.map((row) => ({ segments: row.map((id) => id % (a.encoder?.segments ?? 1)) })),
      ),
    );
    gpu.write(spans, packSpans(sentences));
    const { depth: L, H } = a.encoder!;
    const attentions = Array.from({ length: L }, (_, l) => tensor(`attentions ${l}`, "f32", [N, H, 30]));
    const plan = record("encoder", (run) => {
      const hidden = encoder(run, model, { rows, spans }, { attentions });
      const B = a.head?.classifier === "tokens" ? N : 3;
      const logits = a.head?.classifier && tensor("logits", "f32", [B, a.head.labels.length], "activation");
      if (a.head) head(run, model, hidden, spans, { logits });
    });
    assert.is(await verify(gpu, plan, 2e-5), undefined);
    assert.is(countLaunches(plan, "encoder.layers.0"), 8, "7 and one to look at the weights");
    assert.is(countLaunches(plan, "encoder.embed"), 1);
    gpu.memory.free([rows, spans, ...attentions]);
    dispose();
  }
});

test("hidden states and attentions come on request, one a layer, zero at padding", async () => {
  const model = await open("bert");
  const inputs = padded([ids(6, 1), ids(11, 2)], "right");
  const [plain, all] = [
    await model.forward(inputs),
    await model.forward(inputs, { output_hidden_states: true, output_attentions: true }),
  ];
  assert.is(plain.hidden_states, undefined);
  assert.is(all.hidden_states?.length, 4);
  assert.equal(all.hidden_states![3].data, plain.last_hidden_state!.data);
  assert.equal(all.last_hidden_state!.data, plain.last_hidden_state!.data);
  assert.is(all.attentions?.length, 3);
  for (const { dims, data } of all.attentions!) {
    assert.equal(dims, [2, 4, 11, 11]);
    for (let row = 0; row < 2 * 4 * 11; row++) {
      const weights = Array.from(data.slice(row * 11, row * 11 + 11));
      const [b, q] = [Math.floor(row / 44), row % 11];
      const visible = b === 0 ? 6 : 11;
      const sum = weights.reduce((total, weight) => total + weight, 0);
      assert.ok(Math.abs(sum - (q < visible ? 1 : 0)) < 1e-5, `row ${row} sums to ${sum}`);
      assert.ok(weights.every((weight, t) => (t < visible && q < visible ? weight > 0 : weight === 0)));
    }
  }
  const classifier = await open("bert-token-classifier");
  const { last_hidden_state, hidden_states } = await classifier.encode(inputs, { output_hidden_states: true });
  assert.equal(last_hidden_state.data, hidden_states![2].data);
  assert.equal(Object.keys(await classifier.forward(inputs)), ["logits"]);
  model.dispose();
  classifier.dispose();
});

for (const name of ["bert", "marian"]) {
  test(`${name}: features equal to rows of the token table give the states of those tokens`, async () => {
    const gpu = await device();
    const model = await load(folder(`tests/fixtures/${name}`), { gpu, dtype: "f32" });
    const { D, encoder: stack } = model.architecture;
    const [table] = (await gpu.read(model.weights.get("encoder.embed_tokens.weight"))) as Float32Array[];
    const texts = [ids(9, 1), ids(1, 2), ids(23, 3)];
    const features = texts.map((text): EncoderInput => ({
      features: Float32Array.from(text.flatMap((id) => [...table.subarray(id * D, (id + 1) * D)])).map(
        (value) => value * stack!.embeddingScale,
      ),
      length: text.length,
    }));
    const encode = (inputs: readonly EncoderInput[]) =>
      model.run((core) =>
        encodeAll(core, inputs, { last_hidden_state: true, hidden_states: true }, { batch_tokens: 30 }),
      );
    const want = await encode(texts.map((text) => ({ ids: text })));
    for (const [b, states] of (await encode(features)).entries())
      for (const [state, values] of Object.entries(states))
        assert.ok(
          values.every((value, i) => Math.abs(value - want[b][state][i]) < 1e-6),
          `${state} of sequence ${b}`,
        );
    await refuses(
      () => encode([{ features: new Float32Array(2 * D + 2), length: 2 }]),
      InputError,
      /features must be length\*D numbers with D=64, sequence 0 has 130 for length 2/,
    );
    await refuses(() => encode([features[0], { ids: [5] }]), InputError, /must be all token ids or all features/);
    model.dispose();
  });
}

test("refuses what an encoder cannot do", async () => {
  const model = await open("roberta");
  await refuses(
    () => model.generate({ input_ids: [[5]] }),
    InputError,
    /generate: must be called on a model with a decoder, roberta has none; use forward\(\) or encode\(\)/,
  );
  await refuses(
    () => model.stream({ input_ids: [[5]] }).next(),
    InputError,
    /stream: must be called on a model with a decoder/,
  );
  await refuses(() => model.past({ input_ids: [[5]] }), InputError, /past: must be called on a model with a decoder/);
  await refuses(
    () => model.score({ input_ids: [[5]] }, [[5]]),
    InputError,
    /score: must be called on a model with a decoder/,
  );
  await refuses(
    () => model.forward({ input_ids: [[5]], decoder_input_ids: [[5]] }),
    InputError,
    /decoder_input_ids must be absent, roberta is no encoder-decoder/,
  );
  await refuses(
    () => model.forward({ input_ids: [[5, 6]], token_type_ids: [[0, 1]] }),
    InputError,
    /token_type_ids: must be whole numbers from 0 to 0 .* got 1 in row 0/,
  );
  await refuses(
    () =>
      model.forward({
        input_ids: [[5, 6]],
        token_type_ids: [
          [0, 0],
          [0, 0],
        ],
      }),
    InputError,
    /token_type_ids: must have the 1 rows of input_ids, got 2/,
  );
  await refuses(() => model.forward({ input_ids: [ids(81, 1)] }), InputError, /must have at most 80 tokens/);
  await refuses(
    () => model.forward({ input_ids: [[5]] }, { output_logits: true } as never),
    OptionError,
    /^forward: output_logits is not supported; supported are output_hidden_states, /,
  );
  await refuses(
    () => model.forward({ input_ids: [[5]] }, { batch_tokens: 1.5 }),
    OptionError,
    /batch_tokens must be a whole number/,
  );
  model.dispose();
  const decoder = await open("models/gpt2-brown");
  await refuses(
    () => decoder.forward({ input_ids: [[5]] }, { batch_tokens: 9 }),
    OptionError,
    /batch_tokens must be absent, gpt2 has a decoder/,
  );
  decoder.dispose();
});
