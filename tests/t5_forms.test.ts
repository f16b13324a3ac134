import { InputError, load, type Model } from "../src/index.js";
import { CheckpointError } from "../src/runtime/errors.js";
import { assert, device, readFile, readJson, refuses, suite } from "./support/harness.js";
import { openModel } from "./support/checkpoint.js";
import { inMemory, safetensors, type Stored, storedF32, storedTensors } from "./support/safetensors.js";

const CHROME = "the pipelines of every checkpoint would take minutes; marian stands for all";
const test = suite("checkpoints of T5", { chrome: CHROME });

type Tensors = Record<string, Stored>;
type Change = (tensors: Tensors, config: Record<string, unknown>) => Readonly<Record<string, object>> | void;

/** The files of a fixture, changed; a change may give other files of weights. */
async function changed(name: string, change: Change): Promise<Record<string, object>> {
  const path = `tests/fixtures/${name}`;
  const tensors = storedTensors(await readFile(`${path}/model.safetensors`));
  const config = await readJson<Record<string, unknown>>(`${path}/config.json`);
  const weights = change(tensors, config) ?? { "model.safetensors": safetensors(tensors) };
  return { "config.json": config, ...weights };
}

const INPUTS = { input_ids: [[5, 9, 33, 2, 7]], decoder_input_ids: [[0, 5, 8]] };

async function logitsOf(name: string, change: Change = () => {}): Promise<number[]> {
  const model = await load(inMemory(await changed(name, change)), { gpu: await device() });
  try {
    return [...(await model.forward(INPUTS)).logits!.data];
  } finally {
    model.dispose();
  }
}

/** Declares that two changes of a fixture give the same, but for a factor of the logits. */
const same = (
  title: string,
  name: string,
  change: Change,
  { factor = 1, like }: { readonly factor?: number; readonly like?: Change } = {},
): void =>
  test(title, async () => {
    const [got, want] = [await logitsOf(name, change), await logitsOf(name, like)];
    got.forEach((value, i) => assert.ok(Math.abs(value - factor * want[i]) < 1e-5 * factor, `${i}: ${value}`));
  });

const config =
  (more: object): Change =>
  (_, own) =>
    void Object.assign(own, more);

// Scales, by config.json as Transformers 4 and 5 write it.
const unsaid = { scale_decoder_outputs: null };
same("T5 1.1 says that it is untied: logits are not scaled", "t5", config({ ...unsaid, tie_word_embeddings: false }), {
  factor: 8, // the root of D = 64
});
same("T5 is scaled unless its config says otherwise", "t5", config({ ...unsaid, tie_word_embeddings: null }));
same("scale_decoder_outputs says it where it is there", "t5", config({ scale_decoder_outputs: false }), { factor: 8 });
same("T5 1.1 as Transformers 5 writes it", "t5-gated", config({ ...unsaid, tie_word_embeddings: false }));
same("mT5 is never scaled", "mt5", config({ tie_word_embeddings: true }));
same("UMT5 is not scaled where it says that it is untied", "umt5", config({ tie_word_embeddings: false }), {
  factor: 32 ** 0.5,
});

// Feed-forward layers.
const silent = { dense_act_fn: null, is_gated_act: null };
for (const name of ["t5", "t5-gated", "mt5", "umt5"])
  same(`the feed-forward layer of ${name} by feed_forward_proj alone`, name, config(silent));
same("dense_act_fn wins over feed_forward_proj", "umt5", config({ feed_forward_proj: "gated-relu" }));
for (const [proj, message] of [
  ["gated-gelu-new", /feed_forward_proj must be an activation, or gated- and one, got "gated-gelu-new"/],
  ["geglu-gelu", /feed_forward_proj must be an activation, or gated- and one, got "geglu-gelu"/],
  ["gated-geglu", /dense_act_fn must be one of .*relu.*, got "geglu"/],
] as const)
  test(`refuses ${proj} as a feed-forward layer`, async () => {
    const files = await changed("umt5", config({ ...silent, feed_forward_proj: proj }));
    await refuses(async () => load(inMemory(files), { gpu: await device() }), CheckpointError, message);
  });

// Tables.
const TABLES = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"];
for (const name of TABLES)
  same(`a tied table that is stored as ${name} alone`, "umt5", (tensors) => {
    tensors[name] = tensors["shared.weight"];
    delete tensors["shared.weight"];
  });
same("a tied table that is stored four times", "umt5", (tensors) => {
  for (const name of TABLES) tensors[name] = tensors["shared.weight"];
});
same(
  "a head without values of its own is the shared table, whatever the config says of T5 1.1",
  "t5-gated",
  (tensors) => {
    tensors["lm_head.weight"] = tensors["shared.weight"];
  },
  { like: (tensors) => void delete tensors["lm_head.weight"] },
);
same("shards of 16 bits", "mt5", (tensors) => {
  const names = Object.keys(tensors);
  const shard = (rest: number): Uint8Array =>
    safetensors(Object.fromEntries(names.filter((_, i) => i % 2 === rest).map((name) => [name, tensors[name]])));
  const weight_map = Object.fromEntries(names.map((name, i) => [name, `${i % 2}.safetensors`]));
  return {
    "0.safetensors": shard(0),
    "1.safetensors": shard(1),
    "model.safetensors.index.json": { weight_map },
  };
});

same("wo in f32 among weights in 16 bits, as Transformers keeps it", "umt5", (tensors) => {
  for (const [name, { shape, data }] of Object.entries(tensors))
    if (name.endsWith(".wo.weight")) {
      const halves = Uint32Array.from(new Uint16Array(data.slice().buffer), (bits) => bits << 16);
      tensors[name] = storedF32(shape, new Float32Array(halves.buffer));
    }
});
same("positions of an old config, which limit nothing", "umt5", config({ n_positions: 2 }));

// Buckets.
for (const [more, message] of [
  [{ relative_attention_max_distance: 4 }, /relative_attention_max_distance must be above half of .*buckets=9, got 4/],
  [{ relative_attention_num_buckets: 3 }, /relative_attention_num_buckets must be at least 4, got 3/],
  [{ relative_attention_num_buckets: 8 }, /misshapen: encoder\.block\.0\..*attention_bias\.weight must be \[8,2\]/],
  [{ relative_attention_max_distance: 2 ** 30 }, /relative_bias .* must fit one binding/],
] as const)
  test(`refuses ${JSON.stringify(more)}`, async () => {
    const files = await changed("umt5", config(more));
    await refuses(async () => load(inMemory(files), { gpu: await device() }), Error, message);
  });

// An encoder alone, and other heads.
const encoderOnly: Change = (tensors, own) => {
  for (const name of Object.keys(tensors)) if (/^(decoder|lm_head)\./.test(name)) delete tensors[name];
  own.architectures = ["MT5EncoderModel"];
};
test("an encoder alone encodes as it does in its model, and says what it has not", async () => {
  const model = await load(inMemory(await changed("mt5", encoderOnly)), { gpu: await device() });
  const { input_ids } = INPUTS;
  const whole: Model = await openModel("tests/fixtures/mt5");
  assert.equal(
    (await model.encode({ input_ids })).last_hidden_state.data,
    (await whole.encode({ input_ids })).last_hidden_state.data,
  );
  assert.equal(Object.keys(await model.forward({ input_ids })), ["last_hidden_state"]);
  await refuses(
    () => model.generate({ input_ids }),
    InputError,
    /must be called on a model with a decoder, mt5 has none/,
  );
  model.dispose();
});
for (const [name, architecture] of [
  ["classifier.weight", "MT5ForTokenClassification"],
  ["classification_head.dense.weight", "MT5ForSequenceClassification"],
  ["qa_outputs.weight", "MT5ForQuestionAnswering"],
])
  test(`refuses ${architecture}`, async () => {
    const files = await changed("mt5", (tensors, own) => {
      tensors[name] = storedF32([1], [1]);
      own.architectures = [architecture];
    });
    const message = new RegExp(`architectures must be .*conditional generation, got \\["${architecture}"\\]`);
    await refuses(async () => load(inMemory(files), { gpu: await device() }), CheckpointError, message);
  });

// Options of config.json, where generation_config.json is absent.
test("config.json gives the tokens that begin and end targets, or its class does", async () => {
  for (const [name, start] of [
    ["t5", undefined],
    ["mt5", 0],
    ["umt5", 0],
  ] as const) {
    const files = await changed(name, (_, own) => {
      for (const key of ["decoder_start_token_id", "eos_token_id", "pad_token_id"]) delete own[key];
    });
    const model = await load(inMemory(files), { gpu: await device() });
    const { options, file } = model.generationDefaults;
    assert.equal([file, options.eos_token_id, options.pad_token_id], ["config.json", 1, 0]);
    assert.is(options.decoder_start_token_id, start);
    model.dispose();
  }
});
