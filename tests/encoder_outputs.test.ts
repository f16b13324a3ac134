import { type EncoderOutputs, type HostTensor, InputError, load, type Model, type SourceInputs } from "../src/index.js";
import { openModel } from "./support/checkpoint.js";
import { assert, device, randoms, refuses, suite } from "./support/harness.js";
import { padded, randomRows } from "./support/rows.js";
import { tinyCheckpoint } from "./support/tiny.js";

const test = suite("encoder outputs", {
  chrome: "the pipelines of one more model; marian's own tests stand for it",
});

const marian = (): Promise<Model> => openModel("tests/fixtures/marian");
const V = 97;
const SOURCES = randomRows([5, 9, 1, 7], 3, V);

/** Rows with zeros in their middle, which are masked. */
function holed(rows: readonly (readonly number[])[]) {
  const widen = (row: readonly number[], fill: number): number[] => [...row.slice(0, 1), fill, fill, ...row.slice(1)];
  return padded(
    rows.map((row) => widen(row, 0)),
    "right",
  ).input_ids.map((ids, b) => {
    const bits = widen(
      rows[b].map(() => 1),
      0,
    );
    return { ids, bits: ids.map((_, t) => bits[t] ?? 0) };
  });
}

const holes = holed(SOURCES);
const LAYOUTS: Readonly<Record<string, { input_ids: number[][]; attention_mask?: number[][] }>> = {
  "rows of one length": { input_ids: randomRows([6, 6], 5, V) },
  "padding on the right": padded(SOURCES, "right"),
  "padding on the left": padded(SOURCES, "left"),
  "holes between tokens": { input_ids: holes.map(({ ids }) => ids), attention_mask: holes.map(({ bits }) => bits) },
};

const BEAMS = { num_beams: 3, num_return_sequences: 2, output_scores: true, max_new_tokens: 8 };
const GREEDY = { output_scores: true, max_new_tokens: 8 };

/** All that calls give for these inputs, but for times. */
async function everyCall(m: Model, inputs: SourceInputs) {
  const answers = await Promise.all(
    [BEAMS, GREEDY, { do_sample: true, seed: 3, max_new_tokens: 5 }].map((options) => m.generate(inputs, options)),
  );
  const events = [];
  for await (const event of m.stream(inputs, GREEDY)) events.push(event);
  const rows = answers[1].sequences;
  const decoder = await m.decoder(inputs, { max_length: 3, num_beams: 2 });
  const first = await decoder.step(Array<number>(2 * rows.length).fill(V - 1));
  const second = await decoder.step(Array<number>(2 * rows.length).fill(7));
  decoder.dispose();
  const { logits, encoder_last_hidden_state } = await m.forward({ ...inputs, decoder_input_ids: rows });
  return {
    answers: answers.map(({ sequences, sequences_scores, token_scores, lengths }) => [
      sequences,
      sequences_scores,
      token_scores,
      lengths,
    ]),
    events,
    steps: [first, second],
    forward: [logits, encoder_last_hidden_state],
    scores: await m.score(inputs, rows),
  };
}

for (const [layout, inputs] of Object.entries(LAYOUTS)) {
  test(`the model's own, ${layout}: every call gives the bits that it gives from token ids`, async () => {
    const m = await marian();
    const { attention_mask } = inputs;
    const want = await everyCall(m, inputs);
    const own = await m.encode(inputs, { output_hidden_states: true });
    assert.equal(await everyCall(m, { encoder_outputs: own, attention_mask }), want);
    if (!attention_mask) return;
    const { last_hidden_state } = own;
    const [B, S, D] = last_hidden_state.dims;
    const data = last_hidden_state.data.map((value, i) =>
      attention_mask[Math.floor(i / D / S)][Math.floor(i / D) % S] ? value : NaN,
    );
    const outputs: EncoderOutputs = { last_hidden_state: { dims: [B, S, D], data }, attention_mask };
    const { sequences } = await m.generate({ encoder_outputs: outputs }, GREEDY);
    assert.equal(sequences, want.answers[1][0]);
  });
}

test("lists of vectors, of different lengths or as JSON has them, are states too", async () => {
  const m = await marian();
  const { last_hidden_state: states } = await m.encode(padded(SOURCES, "right"));
  const [, S, D] = states.dims;
  const rows = SOURCES.map((row, b) => row.map((_, t) => states.data.subarray((b * S + t) * D, (b * S + t + 1) * D)));
  const want = await m.generate({ input_ids: SOURCES }, BEAMS);
  const json = JSON.parse(JSON.stringify(rows.map((row) => row.map((vector) => Array.from(vector))))) as number[][][];
  for (const last_hidden_state of [rows, json]) {
    const got = await m.generate({ encoder_outputs: { last_hidden_state } }, BEAMS);
    assert.equal(got.sequences, want.sequences);
    assert.equal(got.sequences_scores, want.sequences_scores);
  }
});

test("decoder_input_ids begin the targets of states too", async () => {
  const m = await marian();
  const inputs = padded(SOURCES, "left");
  const decoder_input_ids = SOURCES.map((_, b) => [V - 1, 4 + b, 9]);
  const want = await m.generate({ ...inputs, decoder_input_ids }, BEAMS);
  const encoder_outputs = { ...(await m.encode(inputs)), attention_mask: inputs.attention_mask };
  const got = await m.generate({ encoder_outputs, decoder_input_ids }, BEAMS);
  assert.equal(got.sequences, want.sequences);
  assert.equal(got.sequences_scores, want.sequences_scores);
});

const SIZES = {
  d_model: 16,
  vocab_size: V,
  encoder_layers: 1,
  decoder_layers: 2,
  encoder_ffn_dim: 24,
  decoder_ffn_dim: 24,
};
const HEADS = { encoder_attention_heads: 2, decoder_attention_heads: 2 };
const CONFIG = { model_type: "marian", ...SIZES, ...HEADS, activation_function: "relu", max_position_embeddings: 40 };
const TOKENS = { eos_token_id: 0, pad_token_id: V - 1, decoder_start_token_id: V - 1 };
const states = (rows: readonly number[], width: number, seed: number): HostTensor[] => {
  const random = randoms(seed);
  return rows.map((S) => ({ dims: [1, S, width], data: Float32Array.from({ length: S * width }, random) }));
};

test("states of another width: a memory twice as wide, with halved weights, decodes as the one it doubles", async () => {
  const gpu = await device();
  const narrow = await load(await tinyCheckpoint(CONFIG, TOKENS, 21), { gpu });
  const wide = await load(await tinyCheckpoint(CONFIG, TOKENS, 21, doubledMemory), { gpu });
  assert.is(wide.architecture.decoder?.memory, 32);
  for (const one of states([5, 3, 8], 16, 8)) {
    const [B, S, D] = one.dims;
    const data = Float32Array.from(
      { length: 2 * one.data.length },
      (_, i) => one.data[Math.floor(i / 2 / D) * D + (i % D)],
    );
    const want = await narrow.generate({ encoder_outputs: { last_hidden_state: one } }, BEAMS);
    const got = await wide.generate({ encoder_outputs: { last_hidden_state: { dims: [B, S, 2 * D], data } } }, BEAMS);
    assert.equal(got.sequences, want.sequences);
    got.sequences_scores!.forEach((score, row) => assert.ok(Math.abs(score - want.sequences_scores![row]) < 1e-4));
  }
  await refuses(
    () => wide.generate({ input_ids: [[5]] }),
    InputError,
    /^encoder_outputs: must be given, the decoder reads states of width 32 and its own encoder's have 16$/,
  );
  await refuses(
    () => wide.decoder({ encoder_outputs: { last_hidden_state: states([3], 16, 1)[0] } }, { max_length: 3 }),
    InputError,
    /^encoder_outputs.last_hidden_state: must be \{ dims: \[B,S,32\], data \}, .* got dims \[1,3,16\] and 48 numbers$/,
  );
  assert.equal((await wide.encode({ input_ids: [[5]] })).last_hidden_state.dims, [1, 1, 16]);
  narrow.dispose();
  wide.dispose();
});

/** Keys and values of a memory [m, m] whose weights are halved: what m gives with whole ones. */
function doubledMemory(name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>) {
  if (!/decoder.*encoder_attn\.[kv]_proj\.weight$/.test(name)) return { shape, values };
  const [O, I] = shape;
  const doubled = Float32Array.from({ length: 2 * O * I }, (_, i) => values[Math.floor(i / 2 / I) * I + (i % I)] / 2);
  return { shape: [O, 2 * I], values: doubled };
}

const good = states([3], 64, 2)[0];
const outputs = (last_hidden_state: unknown, more = {}): SourceInputs =>
  ({ encoder_outputs: { last_hidden_state, ...more } }) as SourceInputs;
const vector = Array<number>(64).fill(0.5);
const REFUSED: Readonly<Record<string, [SourceInputs, RegExp]>> = {
  "no object": [{ encoder_outputs: good.data } as never, /^encoder_outputs: inputs must be an object, got /],
  "no states": [{ encoder_outputs: {} } as never, /^encoder_outputs.last_hidden_state: must be .*, got nothing$/],
  "an unknown name": [
    outputs(good, { last_hidden_states: good }),
    /^encoder_outputs: last_hidden_states is not supported; did you mean last_hidden_state\?$/,
  ],
  "another width": [
    outputs(states([3], 16, 2)[0]),
    /must be \{ dims: \[B,S,64\], data \}.* got dims \[1,3,16\] and 48 numbers$/,
  ],
  "two axes": [outputs({ dims: [3, 64], data: good.data }), /got dims \[3,64\] and 192 numbers$/],
  "fewer numbers than the axes say": [
    outputs({ dims: [1, 4, 64], data: good.data }),
    /got dims \[1,4,64\] and 192 numbers$/,
  ],
  "numbers in no list": [outputs({ dims: [1, 3, 64], data: "0.5" }), /got dims \[1,3,64\] and "0\.5"$/],
  "axes that are no numbers": [outputs({ dims: null, data: good.data }), /got dims null and 192 numbers$/],
  "a list of another length": [outputs([[vector, [1, 2]]]), /got a list of 2 in row 0$/],
  "rows of numbers": [outputs([vector]), /in row 0$/],
  "an empty batch": [
    outputs([]),
    /^encoder_outputs.last_hidden_state: must hold at least one row, got an empty batch$/,
  ],
  "an empty row": [outputs([[vector], []]), /row 1 must hold at least one token, got none$/],
  "a row that is masked": [
    outputs(good, { attention_mask: [[0, 0, 0]] }),
    /row 0 must hold at least one token, got none$/,
  ],
  "a mask of another width": [
    outputs(good, { attention_mask: [[1, 1]] }),
    /^attention_mask: row 0 must have the 3 entries of encoder_outputs.last_hidden_state, got 2$/,
  ],
  "a mask of more rows": [
    outputs(good, {
      attention_mask: [
        [1, 1, 1],
        [1, 1, 1],
      ],
    }),
    /^attention_mask: must have the 1 rows of /,
  ],
  "a mask with other numbers": [
    outputs(good, { attention_mask: [[1, 2, 1]] }),
    /^attention_mask: must hold 0 and 1, got 2 in row 0$/,
  ],
  NaN: [
    outputs([[vector], [vector, vector.map(() => NaN)]]),
    /^encoder_outputs.last_hidden_state: must be finite, row 1 has other values; mend it, or leave it out by its mask$/,
  ],
  "what f64 cannot hold": [outputs([[vector.map(() => 1e39)]]), /must be finite, row 0 has other values/],
  "what is no number": [outputs([[vector.map(() => "1")]]), /must be finite, row 0 has other values/],
  "dims that are no sizes": [
    outputs({ dims: [1.5, 2, vector.length], data: [...vector, ...vector, ...vector] }),
    /got dims \[1.5,2,\d+\] and \d+ numbers$/,
  ],
  "the bits of half precision": [
    outputs({ dims: [1, 1, vector.length], data: Uint16Array.from(vector) }),
    /last_hidden_state: must hold numbers, got a Uint16Array, as of f16's bits; make a Float32Array of it$/,
  ],
  "two masks": [
    { ...outputs(good, { attention_mask: [[1, 1, 1]] }), attention_mask: [[1, 1, 1]] },
    /^attention_mask: must be absent with encoder_outputs.attention_mask; leave out one of them$/,
  ],
  "token ids beside": [
    { ...outputs(good), input_ids: [[5]] },
    /^input_ids: must be absent with encoder_outputs; leave out one of them$/,
  ],
  "embeddings beside": [
    { ...outputs(good), inputs_embeds: good },
    /^inputs_embeds: must be absent with encoder_outputs/,
  ],
};

for (const [what, [inputs, message]] of Object.entries(REFUSED)) {
  test(`refuses ${what}`, async () => {
    const m = await marian();
    await refuses(() => m.generate(inputs), InputError, message);
    await refuses(() => m.decoder(inputs, { max_length: 4 }), InputError, message);
    await refuses(() => m.score(inputs, [[5]]), InputError, message);
    await refuses(() => m.forward({ ...inputs, decoder_input_ids: [[96]] }), InputError, message);
  });
}

test("refuses positions beside states, other counts of rows, and calls that read no states", async () => {
  const m = await marian();
  const given = outputs(good);
  await refuses(
    () => m.generate({ ...given, position_ids: [[0, 1, 2]] }),
    InputError,
    /^position_ids: must be absent with encoder_outputs/,
  );
  await refuses(
    () => m.forward({ ...given, decoder_input_ids: [[96], [96]] }),
    InputError,
    /^decoder_input_ids: must have the 1 rows of the sources, got 2$/,
  );
  await refuses(() => m.score(given, [[5], [6]]), InputError, /^targets: must have the 1 rows of the inputs, got 2$/);
  await refuses(
    () => m.encode(given),
    InputError,
    /^encode: encoder_outputs is not supported; decoder\(\), generate\(\), score\(\) and forward\(\) take it$/,
  );
  const gpt2 = await openModel("tests/fixtures/gpt2");
  for (const call of [() => gpt2.generate(given), () => gpt2.score(given, [[5]])])
    await refuses(
      call,
      InputError,
      /^encoder_outputs: must be absent, gpt2 has no encoder; give input_ids or inputs_embeds$/,
    );
  await refuses(
    () => gpt2.forward(given),
    InputError,
    /^forward: encoder_outputs must be absent, gpt2 is no encoder-decoder; give input_ids$/,
  );
  const bert = await openModel("tests/fixtures/bert");
  await refuses(
    () => bert.forward(given),
    InputError,
    /^forward: encoder_outputs must be absent, bert is no encoder-decoder/,
  );
});
