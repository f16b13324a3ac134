import { load } from "../src/index.js";
import type { Json } from "../src/model/checkpoint/checkpoint.js";
import { readDefaults } from "../src/model/decode/defaults.js";
import { describeCheckpoint } from "../src/model/families/index.js";
import { type Change, changed, changes, outputs, outputsOf, rename } from "./support/changed.js";
import { assert, device, suite } from "./support/harness.js";
import { inMemory, roomy, safetensors, storedF32 } from "./support/safetensors.js";

/** Checkpoints of encoder-decoders as the Hub has them. */
const IN_NODE = "tests of models judge no runtime: they run in Node";
const test = suite("encoder-decoders as people have them", { deno: IN_NODE, chrome: IN_NODE });
const { same, refusesChange } = changes(test);

const FAMILIES = ["bart", "mbart", "pegasus", "m2m_100"];
const SHARED = "model.shared.weight";
/** What configs of the first conversions say beside what Transformers reads. */
const OLD_FIELDS = {
  add_bias_logits: false,
  add_final_layer_norm: true,
  classif_dropout: 0,
  extra_pos_embeddings: 1,
  force_bos_token_to_be_generated: true,
  normalize_before: true,
  normalize_embedding: false,
  static_position_embeddings: true,
  num_hidden_layers: 12,
};
const TABLES = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"];

for (const fixture of [...FAMILIES, "marian-untied"])
  same(`${fixture} without model. in front of its tensors`, fixture, (tensors) =>
    rename(tensors, (name) => name.replace(/^model\./, "")),
  );

for (const fixture of FAMILIES) {
  for (const name of TABLES)
    same(`${fixture} with its table stored as ${name} alone`, fixture, (tensors) =>
      rename(tensors, (old) => (old === SHARED ? name : old)),
    );
  same(`${fixture} with its table stored four times`, fixture, (tensors) => {
    for (const name of TABLES) tensors[name] = tensors[SHARED];
  });
  same(`${fixture} untied, with a head that is stored`, fixture, (tensors, config) => {
    config.tie_word_embeddings = false;
    tensors["lm_head.weight"] = tensors[SHARED];
  });
  refusesChange(
    `${fixture} untied without a head`,
    fixture,
    (_, config) => void (config.tie_word_embeddings = false),
    /missing: lm_head\.weight/,
  );
  same(`${fixture} in two shards`, fixture, (tensors) => {
    const [first, second] = [0, 1].map((half) =>
      Object.fromEntries(Object.entries(tensors).filter((_, index) => index % 2 === half)),
    );
    const weight_map = Object.fromEntries(
      [first, second].flatMap((shard, s) => Object.keys(shard).map((name) => [name, `model-${s}.safetensors`])),
    );
    return {
      "model.safetensors": undefined,
      "model-0.safetensors": safetensors(first),
      "model-1.safetensors": safetensors(second),
      "model.safetensors.index.json": { weight_map },
    };
  });
  test(`${fixture} with what fairseq and heads of other tasks leave, which is listed`, async () => {
    const names = [
      "encoder.version",
      "decoder.version",
      "encoder.embed_positions.weights",
      "classification_head.dense.weight",
    ];
    const files = await changed(fixture, (tensors, config) => {
      Object.assign(config, OLD_FIELDS);
      for (const name of names) tensors[name.startsWith("class") ? name : `model.${name}`] = storedF32([1], [3]);
    });
    const model = await load(inMemory(files), { gpu: await device() });
    assert.equal(await outputs(model), await outputsOf(await changed(fixture, () => {})));
    names.forEach((name) => assert.ok(model.weights.unused.includes(name), name));
    model.dispose();
  });
  const classifier = fixture === "bart" ? [] : ["ForSequenceClassification"];
  for (const name of [...classifier, "ForQuestionAnswering", "ForCausalLM"])
    refusesChange(
      `${fixture} of the class ${name}`,
      fixture,
      (_, config) => void (config.architectures = [`Any${name}`]),
      /config\.json: architectures must be that of an encoder-decoder that generates, got \["Any/,
    );
}

const withoutBias: Change = (tensors) => void delete tensors.final_logits_bias;
for (const fixture of ["bart", "mbart", "pegasus", "marian-untied"])
  same(`${fixture} without a bias of the logits has zeros`, fixture, withoutBias, (tensors) => {
    const { shape } = tensors.final_logits_bias;
    tensors.final_logits_bias = storedF32(shape, new Float32Array(shape[1]));
  });

for (const fixture of ["pegasus", "m2m_100"])
  test(`${fixture} computes the sinusoids that it does not store`, async () => {
    const names = ["encoder", "decoder"].map((side) => `model.${side}.embed_positions.weight`);
    const files = await changed(fixture, (tensors) => names.forEach((name) => delete tensors[name]));
    const [got, want] = [await outputsOf(files), await outputsOf(await changed(fixture, () => {}))];
    assert.ok(got.every((value, i) => Math.abs(value - want[i]) < 1e-5));
  });

same(
  "m2m_100 ignores a table of positions, which it computes",
  "m2m_100",
  (tensors) => void (tensors["model.encoder.embed_positions.weight"] = storedF32([1], [1])),
);
refusesChange(
  "m2m_100 whose padding is no id",
  "m2m_100",
  (_, config) => void (config.pad_token_id = 1.5),
  /pad_token_id must be a token id, got 1\.5/,
);
refusesChange(
  "marian with a table of the decoder that is smaller than its vocabulary",
  "marian-untied",
  (_, config) => void (config.decoder_vocab_size = 70),
  /misshapen: model\.decoder\.embed_tokens\.weight must be \[70,24\], got \[83,24\]/,
);

test("marian-untied: sources and targets are held to their own vocabularies", async () => {
  const model = await load(inMemory(await changed("marian-untied", () => {})), { gpu: await device() });
  const { architecture, forward, generate } = model;
  assert.equal([architecture.V, architecture.encoder?.V], [83, 70]);
  const refused = async (call: () => Promise<unknown>, message: RegExp): Promise<void> => {
    const said = await call().then(
      () => "nothing",
      (error: Error) => error.message,
    );
    assert.match(said, message);
  };
  await refused(() => generate({ input_ids: [[5, 70]] }), /^input_ids: ids must be whole numbers from 0 to 69/);
  await refused(() => model.encode({ input_ids: [[5, 82]] }), /^input_ids: ids must be whole numbers from 0 to 69/);
  await refused(
    () => forward({ input_ids: [[5]], decoder_input_ids: [[83]] }),
    /^decoder_input_ids: ids must be whole numbers from 0 to 82/,
  );
  const { logits } = await forward({ input_ids: [[69]], decoder_input_ids: [[82]] });
  assert.equal(logits!.dims, [1, 1, 83]);
  assert.ok(logits!.data.every(Number.isFinite));
  const tied = await load(
    inMemory(
      await changed(
        "marian-untied",
        (tensors) => void (tensors["lm_head.weight"] = tensors["model.decoder.embed_tokens.weight"]),
      ),
    ),
    { gpu: await device() },
  );
  assert.is(tied.weights.tensors.size, model.weights.tensors.size, "a table that is stored twice is loaded once");
  model.dispose();
  tied.dispose();
});

// The configuration classes of Transformers 5.18.
const SIZES = {
  V: 50265,
  D: 1024,
  depth: 12,
  H: 16,
  F: 4096,
  P: 1024,
  activation: "gelu",
  embeddingScale: 1,
  eps: 1e-5,
};
const POST = { ...SIZES, placement: "post", lastNorm: false };
const PRE = { ...SIZES, placement: "pre", lastNorm: true };
const DEFAULTS: Readonly<Record<string, readonly [sizes: Json, options: Json]>> = {
  bart: [
    POST,
    { decoder_start_token_id: 2, pad_token_id: 1, bos_token_id: 0, eos_token_id: 2, forced_eos_token_id: 2 },
  ],
  mbart: [PRE, { pad_token_id: 1, bos_token_id: 0, eos_token_id: 2, forced_eos_token_id: 2 }],
  pegasus: [PRE, { decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, forced_eos_token_id: 1 }],
  m2m_100: [
    { ...PRE, V: 128112, activation: "relu", embeddingScale: 32, unplaced: 1 },
    { decoder_start_token_id: 2, pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 },
  ],
  marian: [
    { ...POST, V: 58101 },
    { decoder_start_token_id: 58100, pad_token_id: 58100, eos_token_id: 0, forced_eos_token_id: 0 },
  ],
};
for (const [model_type, [sizes, options]] of Object.entries(DEFAULTS))
  test(`${model_type} with an empty config has the sizes and the options of Transformers`, async () => {
    const config = { model_type };
    const { architecture } = await describeCheckpoint({ label: "x", config, entries: roomy } as never);
    for (const stack of [architecture.encoder, architecture.decoder]) {
      const flat = { ...architecture, ...stack } as unknown as Json;
      for (const [key, value] of Object.entries(sizes)) assert.is(flat[key], value, key);
    }
    assert.equal(readDefaults({ config } as never, architecture.V, 1024).options, options);
  });

// generation_config.json of bart-large-cnn, pegasus-xsum and nllb-200.
const PUBLISHED: readonly Json[] = [
  {
    bos_token_id: 0,
    decoder_start_token_id: 2,
    early_stopping: true,
    eos_token_id: 2,
    forced_bos_token_id: 0,
    forced_eos_token_id: 2,
    length_penalty: 2,
    max_length: 142,
    min_length: 56,
    no_repeat_ngram_size: 3,
    num_beams: 4,
    pad_token_id: 1,
  },
  {
    bos_token_id: 0,
    decoder_start_token_id: 0,
    eos_token_id: 1,
    forced_eos_token_id: 1,
    length_penalty: 0.6,
    max_length: 64,
    num_beams: 8,
    pad_token_id: 0,
  },
  { bos_token_id: 0, decoder_start_token_id: 2, eos_token_id: 2, max_length: 200, pad_token_id: 1 },
];
test("options of published checkpoints are all used", () => {
  for (const generationConfig of PUBLISHED) {
    const defaults = readDefaults(
      { config: {}, generationConfig: { _from_model_config: true, ...generationConfig } },
      50264,
      1024,
    );
    assert.equal(defaults.options, generationConfig);
    assert.equal([Object.keys(defaults.setAside), defaults.unsupported], [["_from_model_config"], {}]);
  }
});
