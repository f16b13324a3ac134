// What callers may give by mistake: every input and option is honoured, or refused by an error that names it.
import { gpu, InputError, load, type Model, OptionError, WgformerError } from "../src/index.js";
import { OPTIONS } from "../src/model/decode/options.js";
import { nearest } from "../src/runtime/checks.js";
import { show } from "../src/runtime/errors.js";
import { campaign, type Dice } from "./support/campaign.js";
import { openModel } from "./support/checkpoint.js";
import { assert, device, folder, refuses, runtime, suite } from "./support/harness.js";

const test = suite("requests");
const open = (name: string): Promise<Model> => openModel(`tests/fixtures/${name}`);
const IDS = [[5, 9, 33, 2, 7]];
type Loose = (...given: readonly unknown[]) => Promise<unknown>;
/** A method of a model, for arguments that its types would refuse. */
const method = (model: Model, name: keyof Model): Loose => model[name] as Loose;

// --- unknown names ---

const CALLS = [
  ["gpt2", "generate", []],
  ["gpt2", "forward", []],
  ["gpt2", "past", []],
  ["gpt2", "score", [IDS]],
  ["marian", "generate", []],
  ["marian", "forward", []],
  ["marian", "encode", []],
  ["marian", "decoder", [{ max_length: 4 }]],
  ["bert", "encode", []],
  ["bert", "forward", []],
] as const;

for (const [name, call, rest] of CALLS) {
  test(`${name}.${call} refuses inputs of a name that it does not know, with the nearest that it does`, async () => {
    const model = await open(name);
    for (const [given, message] of [
      [{ attentionMask: [[1]] }, /attentionMask is not supported; did you mean attention_mask\?$/],
      [{ attention_masks: [[1]] }, /attention_masks is not supported; did you mean attention_mask\?$/],
      [{ inputIds: IDS }, /inputIds is not supported; did you mean input_ids\?$/],
      [{ labels: IDS }, /labels is not supported; score\(\) gives log-probabilities$/],
      [{ pixel_values: 1 }, /pixel_values is not supported; supported are input_ids, /],
      [{ pixel_values: null }, /pixel_values is not supported/],
    ] as const)
      await refuses(() => method(model, call)({ input_ids: IDS, ...given }, ...rest), InputError, message);
    await refuses(() => method(model, call)(undefined, ...rest), InputError, /input_ids: must be a list|must be given/);
    for (const given of [null, 5, "text", true, IDS, Int32Array.of(1), () => {}])
      await refuses(() => method(model, call)(given, ...rest), InputError, /: inputs must be an object, got /);
  });
}

test("a name with the value undefined is absent", async () => {
  const m = await open("gpt2");
  const given = { input_ids: IDS, attention_mask: undefined, attentionMask: undefined } as never;
  const { sequences } = await m.generate(given, { max_new_tokens: 2, seed: undefined });
  assert.equal(sequences, (await m.generate({ input_ids: IDS }, { max_new_tokens: 2 })).sequences);
});

const HERE: readonly (readonly [string, keyof Model, object, RegExp])[] = [
  ["gpt2", "generate", { token_type_ids: [[0]] }, /^generate: token_type_ids is not supported; .* leave it out$/],
  ["gpt2", "forward", { past_key_values: {} }, /^forward: past_key_values is not supported; generate\(\) takes it$/],
  ["gpt2", "forward", { token_type_ids: [[0]] }, /^forward: token_type_ids must be absent, gpt2 has a decoder/],
  ["gpt2", "forward", { decoder_attention_mask: [[1]] }, /^forward: decoder_attention_mask must be absent, gpt2/],
  ["gpt2", "generate", { decoder_attention_mask: [[1]] }, /^generate: decoder_input_ids must be absent, gpt2/],
  ["gpt2", "generate", { position_ids: [[1, 2, 3, 4, 5]] }, /^position_ids: must count .* row 0 has 1 for token 0/],
  ["gpt2", "generate", { position_ids: null }, /^position_ids: must have the 1 rows of input_ids, got null$/],
  ["gpt2", "score", { position_ids: [[0]] }, /^score: position_ids is not supported; .* leave it out$/],
  ["marian", "generate", { decoder_attention_mask: [[1]] }, /^decoder_input_ids: must be a list of lists/],
  ["bert", "encode", { decoder_input_ids: [[1]] }, /^encode: decoder_input_ids is not supported/],
  ["bert", "encode", { position_ids: [[0, 1, 2, 3, 512]] }, /^position_ids: must be whole numbers from 0 to \d+ /],
  ["roberta", "encode", { position_ids: [[0, 1, 2, 3, 4]] }, /^position_ids: must be whole numbers from 2 to \d+ /],
  ["bert", "encode", { token_type_ids: [[0, 1, 2, 0, 0]] }, /^token_type_ids: must be whole numbers from 0 to 1 /],
  ["bert", "encode", { token_type_ids: null }, /^token_type_ids: must have the 1 rows of input_ids, got null$/],
];
for (const [name, call, given, message] of HERE)
  test(`${name}.${String(call)} refuses ${show(given)}`, async () => {
    const model = await open(name);
    const rest = call === "score" ? [[[1]]] : [];
    await refuses(() => method(model, call)({ input_ids: IDS, ...given }, ...rest), InputError, message);
  });

test("generate takes position_ids that count the tokens of each row, at what is masked anything", async () => {
  const m = await open("gpt2");
  const input_ids = [[0, 0, 5, 7]];
  const attention_mask = [[0, 0, 1, 1]];
  const options = { max_new_tokens: 2 };
  const want = await m.generate({ input_ids, attention_mask }, options);
  const got = await m.generate({ input_ids, attention_mask, position_ids: [[1, 1, 0, 1]] }, options);
  assert.equal(got.sequences, want.sequences);
});

// --- masks, positions and padding ---

// What Transformers 5.18 generates after these rows of 7, the second of which has no padding.
const HOLES = { input_ids: [[0, 5, 60, 9, 33, 61, 7], [11, 2, 3, 4, 40, 41, 50]], attention_mask: [[0, 1, 0, 1, 1, 0, 1], Array<number>(7).fill(1)] }; // prettier-ignore
const AFTER_HOLES: readonly (readonly [string, number[][]])[] = [
  ["gpt2", [[41, 0], [17, 41]]],
  ["llama", [[9, 34, 17, 27, 7, 55, 24, 27], [72, 9, 92, 65, 81, 12, 0, 52]]],
  ["qwen3", [[11, 28, 66, 88, 28, 2, 37, 81], [72, 92, 76, 94, 48, 14, 48, 14]]],
]; // prettier-ignore
for (const [name, want] of AFTER_HOLES)
  test(`${name} continues a row with holes in its mask as Transformers does`, async () => {
    const { sequences } = await (await open(name)).generate(HOLES, { max_new_tokens: 8 });
    assert.equal(
      sequences.map((row) => row.slice(7)),
      want,
    );
  });

// The first four values of the states that Transformers 5.18 gives for the three tokens.
const STATES: readonly (readonly [string, object, number[][]])[] = [
  ["bert", { input_ids: [[5, 60, 9, 33, 61]], attention_mask: [[1, 0, 1, 1, 0]] }, [[-0.03031, -3.51396, 0.78072, 0.20805], [0.05054, -3.47981, 0.75557, 0.21049], [0.07804, -3.48354, 0.75444, 0.34925]]],
  ["distilbert", { input_ids: [[5, 60, 9, 33, 61]], attention_mask: [[1, 0, 1, 1, 0]] }, [[-0.21094, 1.46282, -1.07173, 2.54001], [-0.31575, 1.05064, -0.79069, 2.49376], [-0.25528, 1.26307, -0.15442, 1.78414]]],
  ["bert", { input_ids: [[5, 9, 33]], position_ids: [[4, 0, 9]] }, [[-0.65679, -2.04554, 0.72463, 0.61846], [-0.59234, -2.11721, 0.83408, 0.5878], [-0.66164, -2.20956, 0.75498, 0.55893]]],
  ["roberta", { input_ids: [[5, 9, 33]], position_ids: [[4, 2, 9]] }, [[-0.09472, 0.97115, 1.25635, -0.50766], [0.51158, 1.883, 1.48823, -0.49436], [-0.09364, 1.34306, 0.25882, -0.68449]]],
]; // prettier-ignore
for (const [name, inputs, want] of STATES)
  test(`${name} reads ${show(inputs)} as Transformers does`, async () => {
    const m = await open(name);
    const { last_hidden_state: got } = await m.encode(inputs);
    const places = want.length === got.dims[1] ? [0, 1, 2] : [0, 2, 3];
    places.forEach((place, t) =>
      want[t].forEach((value, d) => {
        const found = got.data[place * m.architecture.D + d];
        assert.ok(Math.abs(found - value) < 5e-5, `token ${t}: ${found} for ${value}`);
      }),
    );
  });

test("an encoder-decoder reads sources with holes as Transformers does", async () => {
  const m = await open("marian");
  const rows = [[5, 96, 9, 33, 0, 96], [11, 2, 3, 4, 40, 0]]; // prettier-ignore
  const masks = [[1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]; // prettier-ignore
  const generate = async (input_ids: number[][], attention_mask: number[][]) =>
    (await m.generate({ input_ids, attention_mask }, { max_new_tokens: 6, num_beams: 1 })).sequences;
  assert.equal(await generate(rows, masks), [[96, 0, 96, 96, 96, 96, 96], [96, 67, 67, 67, 67, 67, 67]]); // prettier-ignore
  assert.equal(await generate([[5, 60, 9, 33, 0, 61]], masks.slice(0, 1)), [[96, 0]]);
});

test("what a decoder's mask leaves out between tokens is as if it were not there", async () => {
  for (const name of ["gpt2", "llama"]) {
    const m = await open(name);
    const options = { max_new_tokens: 6 };
    const holes = { input_ids: [[0, 5, 60, 9, 33, 61]], attention_mask: [[0, 1, 0, 1, 1, 0]] };
    const plain = await m.generate({ input_ids: [[5, 9, 33]] }, options);
    assert.equal((await m.generate(holes, options)).sequences[0].slice(-6), plain.sequences[0].slice(-6));
    const past = await m.past(holes);
    assert.equal(past.ids, [[5, 9, 33]]);
    past.dispose();
    await refuses(() => m.forward(holes), InputError, /^attention_mask: .* row 0 has a hole at 2$/);
  }
});

test("tokens of an encoder keep their columns as positions around holes of the mask", async () => {
  for (const name of ["bert", "distilbert", "marian"]) {
    const m = await open(name);
    const holes = { input_ids: [[5, 60, 9, 33, 61]], attention_mask: [[1, 0, 1, 1, 0]] };
    const { last_hidden_state: got } = await m.encode(holes);
    const { last_hidden_state: want } = await m.encode({ input_ids: [[5, 9, 33]], position_ids: [[0, 2, 3]] });
    const D = m.architecture.D;
    assert.equal(got.dims, [1, 5, D]);
    [0, 2, 3].forEach((column, t) =>
      assert.equal(got.data.slice(column * D, (column + 1) * D), want.data.slice(t * D, (t + 1) * D)),
    );
    assert.ok(got.data.slice(D, 2 * D).every((value) => value === 0));
    const plain = await m.encode({ input_ids: [[5, 9, 33]] });
    assert.not.equal(want.data, plain.last_hidden_state.data);
  }
  const roberta = await open("roberta");
  const holes = { input_ids: [[5, 60, 9]], attention_mask: [[1, 0, 1]] };
  await refuses(() => roberta.encode(holes), InputError, /^attention_mask: .* hole at 1$/);
});

test("positions as Transformers counts them are those that are the default", async () => {
  for (const [name, first] of [
    ["bert", 0],
    ["roberta", 2],
  ] as const) {
    const m = await open(name);
    const position_ids = [IDS[0].map((_, t) => first + t)];
    const got = await m.encode({ input_ids: IDS, position_ids });
    assert.equal(got.last_hidden_state.data, (await m.encode({ input_ids: IDS })).last_hidden_state.data);
  }
});

test("padding of the targets is honoured on either side", async () => {
  const m = await open("marian");
  const { V } = m.architecture;
  const plain = await m.forward({ input_ids: IDS, decoder_input_ids: [[96, 7, 40]] });
  for (const [decoder_input_ids, decoder_attention_mask, first] of [
    [[[1, 1, 96, 7, 40]], [[0, 0, 1, 1, 1]], 2],
    [[[96, 7, 40, 1, 1]], [[1, 1, 1, 0, 0]], 0],
  ] as const) {
    const { logits } = await m.forward({ input_ids: IDS, decoder_input_ids, decoder_attention_mask });
    assert.equal(logits!.data.slice(first * V, (first + 3) * V), plain.logits!.data);
    const options = { max_new_tokens: 4 };
    const [got] = (await m.generate({ input_ids: IDS, decoder_input_ids, decoder_attention_mask }, options)).sequences;
    const [want] = (await m.generate({ input_ids: IDS, decoder_input_ids: [[96, 7, 40]] }, options)).sequences;
    assert.equal(got.slice(-7), want);
  }
  const short = { decoder_input_ids: [[96, 7]], decoder_attention_mask: [[1]] };
  await refuses(
    () => m.forward({ input_ids: IDS, ...short }),
    InputError,
    /^decoder_attention_mask: row 0 must have the 2 entries of decoder_input_ids, got 1$/,
  );
});

// --- ids, segments and values outside their tables ---

test("sequences given to an encoder's batches are checked as rows are", async () => {
  const { encodeAll } = await import("../src/model/encode/batches.js");
  const m = await open("roberta");
  const bad: readonly (readonly [object, RegExp])[] = [
    [{ ids: [5, 999_999] }, /^input_ids: ids must be whole numbers from 0 to \d+, got 999999 in row 1$/],
    [{ ids: [5, undefined] }, /got nothing in row 1$/],
    [{ ids: [5, 6], segments: [0, 1] }, /^token_type_ids: ids must be whole numbers from 0 to 0, got 1 in row 1$/],
    [{ ids: [5], positions: [600] }, /^position_ids: ids must be whole numbers from 0 to \d+, got 600 in row 1$/],
    [{ ids: [] }, /^encoder: row 1 must have 1 to \d+ tokens .*, got 0$/],
    [{ ids: Array(2000).fill(5) }, /^encoder: row 1 must have 1 to \d+ tokens .*, got 2000$/],
    [{ features: Float32Array.of(NaN), length: 1 }, /^encoder: /],
  ];
  for (const [input, message] of bad)
    await refuses(
      () => m.run((core) => encodeAll(core, [{ ids: [5] }, input as never], { last_hidden_state: true })),
      InputError,
      message,
    );
});

test("features that are not finite are refused", async () => {
  const { encodeAll } = await import("../src/model/encode/batches.js");
  const m = await open("bert");
  const features = new Float32Array(2 * m.architecture.D).fill(0.1);
  features[7] = NaN;
  const input = { features, length: 2 };
  await refuses(
    () => m.run((core) => encodeAll(core, [input], { last_hidden_state: true })),
    InputError,
    /^encoder: features must be finite, sequence 0 has others/,
  );
});

/** Runs `body` on a fixture one of whose weights, which was finite, is filled with `value`. */
async function broken(name: string, weight: string, value: number, body: (m: Model) => Promise<void>): Promise<void> {
  const m = await load(folder(`tests/fixtures/${name}`), { gpu: await device() });
  const found = m.weights.get(weight);
  m.gpu.write(found, new Float32Array(found.shape.reduce((a, b) => a * b, 1)).fill(value));
  try {
    await body(m);
  } finally {
    m.dispose();
  }
}

const NOT_FINITE = /: must be finite, row 0 has other values; the weights or a kernel overflow$/;
for (const value of [NaN, 3e38])
  test(`results are refused, with their row, when a weight is ${value}`, async () => {
    const encoderNorm = "encoder.layers.1.final_norm.weight";
    await broken("bert", encoderNorm, value, async (m) => {
      await refuses(() => m.encode({ input_ids: IDS }), InputError, NOT_FINITE);
      await refuses(() => m.forward({ input_ids: IDS }), InputError, NOT_FINITE);
    });
    await broken("bert-token-classifier", encoderNorm, value, (m) =>
      refuses(() => m.forward({ input_ids: IDS }), InputError, NOT_FINITE),
    );
    await broken("gpt2", "decoder.norm.weight", value, async (m) => {
      await refuses(() => m.forward({ input_ids: IDS }), InputError, NOT_FINITE);
      await refuses(() => m.score({ input_ids: IDS }, [[1]]), InputError, NOT_FINITE);
      await refuses(() => m.generate({ input_ids: IDS }, { max_new_tokens: 1 }), InputError, /logits must be finite/);
    });
    await broken("marian", "decoder.layers.1.final_norm.weight", value, async (m) => {
      const decoder = await m.decoder({ input_ids: IDS }, { max_length: 4 });
      await refuses(() => decoder.step([96]), InputError, NOT_FINITE);
      decoder.dispose();
      await refuses(() => m.score({ input_ids: IDS }, [[1]]), InputError, NOT_FINITE);
    });
  });

// --- options ---

test("refuses options of load and gpu that they do not take, with the cure", async () => {
  const shared = await device();
  const source = folder("tests/fixtures/gpt2");
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [
      { device: "webgpu" },
      /^load: device must be a GPUDevice \(WebGPU is what there is: leave it out\), got "webgpu"$/,
    ],
    [{ device: null }, /^load: device must be a GPUDevice .* got null$/],
    [{ quantized: true }, /^load: quantized is not supported; pass dtype: "int8"$/],
    [{ revision: "main" }, /^load: revision must be absent where the source is no model of the Hub, got "main"$/],
    [{ token: true }, /^load: token must be a token of the Hub, or false, got true$/],
    [{ cache_dir: 5 }, /^load: cache_dir must be a folder, or false, got 5$/],
    [{ local_files_only: "yes" }, /^load: local_files_only must be true or false, got "yes"$/],
    [{ progress_callback: () => {} }, /^load: progress_callback is not supported; pass progress$/],
    [{ gpu: shared.device }, /^load: gpu must be what gpu\(\) gives \(a GPUDevice goes into device\), got /],
    [{ dtpye: "f16" }, /^load: dtpye is not supported; did you mean dtype\?$/],
    [{ dtype: "q4" }, /^load: dtype must be one of auto, f32, .* got "q4"$/],
    [{ progress: true }, /^load: progress must be a function, got true$/],
    [{ signal: {} }, /^load: signal must be an AbortSignal, got {}$/],
    [5, /^load: options must be an object, got 5$/],
    [null, /^load: options must be an object, got null$/],
  ];
  for (const [options, message] of bad) await refuses(() => load(source, options as never), OptionError, message);
  const worse: readonly (readonly [unknown, RegExp])[] = [
    [{ adaptor: "cpu" }, /^gpu: adaptor is not supported; did you mean adapter\?$/],
    [{ form: "fast" }, /^gpu: form is not supported; supported are device, /],
    [{ adapter: "tpu" }, /^gpu: adapter must be one of cpu, gpu, got "tpu"$/],
    [{ powerPreference: "max" }, /^gpu: powerPreference must be one of high-performance, low-power, got "max"$/],
    [{ device: {} }, /^gpu: device must be a GPUDevice, got {}$/],
    [null, /^gpu: options must be an object, got null$/],
  ];
  for (const [options, message] of worse) await refuses(() => gpu(options as never), OptionError, message);
});

test("refuses options of calls that are none", async () => {
  const [gpt2, marian] = [await open("gpt2"), await open("marian")];
  for (const options of [null, 5, "fast", true, []]) {
    const none = /: options must be an object, got /;
    await refuses(() => method(gpt2, "generate")({ input_ids: IDS }, options), OptionError, none);
    await refuses(() => gpt2.stream({ input_ids: IDS }, options as never).next(), OptionError, none);
    await refuses(() => method(gpt2, "past")({ input_ids: IDS }, options), OptionError, none);
    await refuses(() => method(gpt2, "tune")(options), OptionError, none);
    await refuses(() => method(marian, "encode")({ input_ids: IDS }, options), OptionError, none);
    await refuses(() => method(marian, "forward")({ input_ids: IDS }, options), OptionError, none);
    await refuses(() => method(marian, "decoder")({ input_ids: IDS }, options ?? undefined), OptionError, /^decoder: /);
  }
  for (const signal of [{}, "now", 1, { aborted: true }])
    for (const call of ["generate", "encode", "forward"] as const)
      await refuses(
        () => method(call === "generate" ? gpt2 : marian, call)({ input_ids: IDS }, { signal }),
        OptionError,
        /: signal must be an AbortSignal, got /,
      );
  for (const rows of [0, [0], [-1], null, [1.5], ["1"], Array(2)])
    await refuses(() => method(gpt2, "tune")({ rows }), OptionError, /^tune: rows must be a list of whole numbers/);
  for (const max_length of [0, -1, 97, 1.5, null, "9"])
    await refuses(
      () => method(gpt2, "past")({ input_ids: IDS }, { max_length }),
      OptionError,
      /^past: max_length must/,
    );
  for (const [options, message] of [
    [{ output_hidden_states: 5n }, /^encode: output_hidden_states must be true or false, got 5n$/],
    [{ output_attentions: 1 }, /^encode: output_attentions must be true or false, got 1$/],
    [{ batch_tokens: 0 }, /^encode: batch_tokens must be a whole number of at least 1, got 0$/],
    [{ progress: 1 }, /^encode: progress must be a function, got 1$/],
    [{ batch_size: 4 }, /^encode: batch_size is not supported; supported are /],
  ] as const)
    await refuses(() => method(marian, "encode")({ input_ids: IDS }, options), OptionError, message);
  await refuses(() => method(gpt2, "run")(5), InputError, /^run: must be given a function, got 5$/);
});

test("the nearest name is told whatever its case and underscores, and none that is far", () => {
  const known = ["input_ids", "attention_mask", "num_beams", "toString"];
  for (const [name, near] of [
    ["InputIds", "input_ids"],
    ["input-id", "input_ids"],
    ["atention_mask", "attention_mask"],
    ["numBeam", "num_beams"],
    ["constructor", undefined],
    ["x", undefined],
  ] as const)
    assert.is(nearest(name, known), near);
});

test("messages show any value in short", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const values = [
    cyclic,
    "x".repeat(1e6),
    Array(1e6).fill("row"),
    new Float32Array(1e6),
    Symbol("a"),
    () => {},
    1n,
    NaN,
  ];
  const throws = Object.defineProperty({}, "a", {
    enumerable: true,
    get() {
      throw new Error("no");
    },
  });
  for (const value of [...values, throws, Object.create(null)]) assert.ok(show(value).length <= 60);
});

test("a batch that fails before the one that is awaited leaves no rejection behind", async () => {
  const shared = await device();
  let runs = 0;
  const m = await load(folder("tests/fixtures/bert"), {
    gpu: {
      ...shared,
      prepare: async (...given) => ({
        ...(await shared.prepare(...given)),
        run: async () => {
          await new Promise((resolve) => setTimeout(resolve, runs++ % 2 ? 1 : 20)); // the second fails first
          throw new InputError("no run");
        },
      }),
    },
  });
  const input_ids = [[1, 2, 3, 4, 5, 6], [7, 8], [9]];
  await campaign("failing batches", { cases: 10 }, async () => {
    await refuses(() => m.encode({ input_ids }, { batch_tokens: 3 }), InputError, /^no run$/);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return "refused";
  });
  m.dispose();
});

const LONG = "lists this long are tried in Node";
const ROWS = 130_000; // more than there can be arguments of a call
test(
  `${ROWS} rows go through an encoder`,
  async () => {
    const m = await open("distilbert");
    const input_ids = Array.from({ length: ROWS }, (_, b) => [b % 90]);
    const { last_hidden_state: got } = await m.encode({ input_ids }, { batch_tokens: 2 ** 17 });
    const { last_hidden_state: want } = await m.encode({ input_ids: input_ids.slice(0, 90) });
    assert.equal(got.data.slice(0, want.data.length), want.data);
    assert.equal(got.data.slice(-m.architecture.D), want.data.slice(39 * m.architecture.D, 40 * m.architecture.D));
  },
  { deno: LONG, chrome: LONG },
);

// --- any value in any place ---

/** What the caller's own code throws: it comes through as it is. */
class Own extends Error {}

const throwing = (): never => {
  throw new Own("the caller's");
};

/** A value that a caller may give by mistake. */
function hostile({ pick, whole, chance }: Dice): unknown {
  const cyclic: unknown[] = [1];
  cyclic.push(cyclic);
  const values: readonly unknown[] = [
    undefined, null, true, false, NaN, Infinity, -Infinity, -0, -1, 0.5, 1e-46, 1e39, 5e-324, 2 ** 31, 2 ** 32, 2 ** 53,
    1e308, "", "1", "5", "a text", "x".repeat(1e5), 0n, 5n, -5n, 2n ** 70n, Symbol("s"), throwing, () => {}, () => 5,
    {}, [], [[]], [[[]]], [[[1]]], [null], [[null]], [[undefined]], [undefined], Array(3), [Array(3)], [["1"]], ["ab"],
    [[0.5]], [[-1]], [[97]], [[1e9]], [[5n, 6]], [{}], [[{}]], cyclic, { toJSON: throwing }, { length: 2 },
    { length: 1, 0: [5] }, new Map(), new Set([1]), new Date(0), /x/, Promise.resolve([[1]]), Object.create(null),
    Int8Array.of(5), Uint8ClampedArray.of(5), Float64Array.of(NaN), BigUint64Array.of(2n ** 63n), new ArrayBuffer(8),
    [Int16Array.of(5, 6)], [BigInt64Array.of(5n, -1n)], [Float64Array.of(5, 6)], [Float32Array.of(0.5)],
    [new DataView(new ArrayBuffer(4))], Array.from({ length: 9 }, () => [1]), [[5, 9, 33, 2, 7]], [[1, 1, 1, 1, 1]],
    [[0, 1, 1, 1, 1]], [[0, 0, 0, 0, 0]], [[1, 0, 1, 0, 1]], new Proxy([[5]], {}), AbortSignal.abort(new Own("abort")),
    "prototype", "__proto__", Object.freeze([[5, 6]]), 1, 2, 3, 7, 64, 1000,
  ]; // prettier-ignore
  if (chance(0.2)) return [[...IDS[0].slice(1), pick(values)]];
  return chance(0.1) ? whole(-3, 100) : pick(values);
}

const NAMES = [
  "input_ids", "attention_mask", "position_ids", "token_type_ids", "decoder_input_ids", "decoder_attention_mask",
  "past_key_values", "inputs_embeds", "constructor", "toString", "", "input ids",
]; // prettier-ignore
const CALL_OPTIONS = [
  "signal", "progress", "batch_tokens", "output_hidden_states", "output_attentions", "max_length", "num_beams", "nonsense",
]; // prettier-ignore

/** An argument in which up to two names have hostile values, or which is one itself. */
function argument(draw: Dice, given: object, names: readonly string[]): unknown {
  if (draw.chance(0.05)) return hostile(draw);
  const changes = Array.from({ length: draw.pick([0, 0, 1, 1, 2]) }, () => [draw.pick(names), hostile(draw)] as const);
  return { ...given, ...Object.fromEntries(changes) };
}

const isFinite = (value: number): boolean => Number.isFinite(value);

/** Asserts that all numbers in a result are finite, and its shapes right. */
function checkResult(value: unknown): void {
  if (typeof value === "number") assert.ok(isFinite(value), `${value} in a result`);
  else if (value instanceof Float32Array) assert.ok(value.every(isFinite), "values that are not finite in a result");
  else if (Array.isArray(value)) {
    const row = value as unknown[];
    if (row.every((item) => typeof item === "number")) assert.ok(row.every((item) => isFinite(item)));
    else row.forEach(checkResult);
  } else if (value && typeof value === "object") {
    const { dims, data } = value as { dims?: number[]; data?: Float32Array };
    if (dims && data)
      assert.is(
        dims.reduce((a, b) => a * b, 1),
        data.length,
      );
    Object.values(value).forEach(checkResult);
  }
}

type Call = (draw: Dice) => Promise<unknown>;

/** Every public method with arguments in which something may be wrong. */
async function methods(): Promise<readonly Call[]> {
  const [gpt2, llama, marian] = await Promise.all(["gpt2", "llama", "marian"].map(open));
  const encoders = await Promise.all(["bert", "roberta", "distilbert", "bert-sequence-classifier"].map(open));
  const generating = [...Object.keys(OPTIONS), "signal", "nonsense"];
  const inputs = (draw: Dice, more: object = {}) => argument(draw, { input_ids: IDS, ...more }, NAMES);
  const targets = { decoder_input_ids: [[96, 5]] };
  const short = (draw: Dice) => argument(draw, { max_new_tokens: 3 }, generating);
  const generate: Call = async (draw) => {
    const m = draw.pick([gpt2, llama, marian]);
    const given = [inputs(draw, m === marian && draw.chance(0.5) ? targets : {}), short(draw)];
    if (draw.chance(0.6)) return method(m, "generate")(...given);
    const events = (m.stream as unknown as (...given: unknown[]) => AsyncIterable<unknown>)(...given);
    const list: unknown[] = [];
    for await (const event of events) list.push(event);
    return list;
  };
  const encode: Call = (draw) =>
    method(draw.pick([...encoders, marian]), draw.chance(0.5) ? "encode" : "forward")(
      inputs(draw, draw.chance(0.2) ? targets : {}),
      draw.chance(0.4) ? undefined : argument(draw, {}, CALL_OPTIONS),
    );
  const forward: Call = (draw) => {
    const m = draw.pick([gpt2, llama, marian]);
    return method(m, "forward")(
      inputs(draw, m === marian ? targets : {}),
      draw.chance(0.8) ? undefined : hostile(draw),
    );
  };
  const score: Call = (draw) =>
    method(draw.pick([gpt2, marian]), "score")(inputs(draw), draw.chance(0.5) ? [[7, 8]] : hostile(draw));
  const decoder: Call = async (draw) => {
    const options = argument(draw, { max_length: 4 }, CALL_OPTIONS);
    const opened = await marian.decoder(inputs(draw) as never, options as never);
    try {
      const list = draw.chance(0.5) ? hostile(draw) : [draw.chance(0.5) ? 5 : hostile(draw)];
      return await opened.step(list as never, (draw.chance(0.7) ? undefined : hostile(draw)) as never);
    } finally {
      opened.dispose();
    }
  };
  const past: Call = async (draw) => {
    const m = draw.pick([gpt2, llama]);
    const options = draw.chance(0.6) ? undefined : argument(draw, {}, CALL_OPTIONS);
    const opened = await m.past(inputs(draw) as never, options as never);
    try {
      if (draw.chance(0.4)) await opened.append(hostile(draw) as never);
      if (draw.chance(0.4)) opened.truncate(hostile(draw) as never);
      const more = draw.chance(0.5) ? {} : { input_ids: hostile(draw) };
      return await m.generate({ past_key_values: opened, ...more } as never, { max_new_tokens: 2 });
    } finally {
      opened.dispose();
    }
  };
  const other: Call = async (draw) => {
    const value = hostile(draw);
    const absent = value === undefined || (typeof value === "object" && value !== null && !Object.keys(value).length);
    if (draw.chance(0.3)) return absent ? undefined : method(gpt2, "run")(typeof value === "function" ? 1 : value);
    const options = { [draw.pick(["rows", "device", "gpu", "dtype", "progress", "signal", "quantized"])]: value };
    if (draw.chance(0.3)) return absent ? undefined : method(gpt2, "tune")({ rows: [0], ...options });
    if (draw.chance(0.3)) return value === undefined ? undefined : gpu({ adapter: "no", ...options } as never);
    return (await load(folder("tests/fixtures/gpt2"), { gpu: await device(), ...options })).dispose();
  };
  return [generate, generate, generate, encode, encode, forward, score, decoder, past, other];
}

test("whatever is given, a call ends in a checked result or in an error that says what is wrong", async () => {
  const calls = await methods();
  const m = await open("gpt2");
  const baseline = (): Promise<unknown> =>
    m.generate({ input_ids: IDS }, { max_new_tokens: 6 }).then(({ sequences }) => sequences);
  const want = await baseline();
  await campaign("hostile requests", { cases: 1500, seconds: runtime === "node" ? 10 : 5 }, async (draw, index) => {
    if (index % 50 === 49) {
      assert.equal(await baseline(), want);
      return "baseline";
    }
    try {
      checkResult(await draw.pick(calls)(draw));
      return "right";
    } catch (error) {
      if (error instanceof Own) return "the caller's";
      if (!(error instanceof WgformerError)) throw error;
      assert.ok(error.message.length < 1000, `a message of ${error.message.length} characters`);
      return error.name;
    }
  });
});
