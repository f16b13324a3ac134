import {
  CheckpointError,
  type Gpu,
  gpu as openGpu,
  load,
  type Model,
  samplePlans,
  verify,
  type WeightFormat,
} from "../src/index.js";
import { assert, device, refuses, runtime, suite } from "./support/harness.js";
import { tinyCheckpoint } from "./support/tiny.js";

const test = suite("widths of all kinds");

type Config = Readonly<Record<string, unknown>>;
const NO_END = { eos_token_id: null, pad_token_id: 0, bos_token_id: 1 };
const TRANSLATION = { eos_token_id: 0, pad_token_id: 6, decoder_start_token_id: 6 };

const llama = (D: number, H: number, K: number, F: number, V: number, head_dim?: number): Config => ({
  model_type: "llama",
  hidden_size: D,
  num_attention_heads: H,
  num_key_value_heads: K,
  intermediate_size: F,
  vocab_size: V,
  num_hidden_layers: 2,
  max_position_embeddings: 33,
  hidden_act: "silu",
  ...(head_dim && { head_dim }),
});

const gpt2 = (D: number, H: number, F: number, V: number): Config => ({
  model_type: "gpt2",
  n_embd: D,
  n_head: H,
  n_inner: F,
  vocab_size: V,
  n_layer: 2,
  n_positions: 33,
  activation_function: "gelu_new",
});

const bert = (D: number, H: number, F: number, V: number): Config => ({
  model_type: "bert",
  hidden_size: D,
  num_attention_heads: H,
  intermediate_size: F,
  vocab_size: V,
  num_hidden_layers: 2,
  max_position_embeddings: 33,
  type_vocab_size: 1,
  hidden_act: "gelu",
});

const marian = (D: number, H: number, F: number, V: number, model_type = "marian"): Config => ({
  model_type,
  d_model: D,
  encoder_attention_heads: H,
  decoder_attention_heads: H,
  encoder_ffn_dim: F,
  decoder_ffn_dim: F,
  vocab_size: V,
  encoder_layers: 1,
  decoder_layers: 1,
  max_position_embeddings: 33,
  activation_function: "swish",
  scale_embedding: true,
  pad_token_id: 6,
});

/** Models by the sizes that are unusual in them: the width of a head, of the model and between, the vocabulary. */
const MODELS: Readonly<Record<string, readonly [Config, generation: Config]>> = {
  "llama, heads of 6 in 30, 37 between, 99 tokens": [llama(30, 5, 1, 37, 99), NO_END],
  "llama, heads of 10 in 90, 7 tokens": [llama(90, 9, 3, 31, 7), NO_END],
  "llama, heads of 12 in 36, 100 between": [llama(36, 3, 3, 100, 37), NO_END],
  "llama, heads of 20 beside a width of 7": [llama(7, 2, 1, 5, 20, 20), NO_END],
  "llama, heads of 8 beside a width of 37": [llama(37, 3, 1, 90, 7, 8), NO_END],
  "llama, heads of 2 in 2": [llama(2, 1, 1, 3, 12), NO_END],
  "gpt2, heads of 6 in 30, 37 between, 99 tokens": [gpt2(30, 5, 37, 99), NO_END],
  "gpt2, 37 between, 7 tokens": [gpt2(16, 2, 37, 7), NO_END],
  "gpt2, heads of 37": [gpt2(37, 1, 90, 30), NO_END],
  "gpt2, heads of 1 in 3": [gpt2(3, 3, 2, 5), NO_END],
  "bert, heads of 10 in 90, 37 between": [bert(90, 9, 37, 99), {}],
  "bert, heads of 5 in 15": [bert(15, 3, 1, 8), {}],
  "bert, 90 between, 3 tokens": [bert(24, 3, 90, 3), {}],
  "bert, heads of 99": [bert(99, 1, 37, 30), {}],
  "marian, heads of 15 in 30": [marian(30, 2, 37, 7), TRANSLATION],
  "marian, 37 between, 20 tokens": [marian(16, 2, 37, 20), TRANSLATION],
  "marian, heads of 3 in 9, 100 between": [marian(9, 3, 100, 99), TRANSLATION],
  "m2m_100, heads of 5 in 15": [marian(15, 3, 22, 31, "m2m_100"), TRANSLATION],
  "mbart, heads of 7 in 14": [marian(14, 2, 19, 33, "mbart"), TRANSLATION],
};

/** Runs the model's plans launch by launch, on the device and through the references. */
async function agrees(gpu: Gpu, model: Model, dtype: WeightFormat): Promise<void> {
  for (const sample of await model.run(async (core) => samplePlans(core, 7))) {
    sample.write();
    const fault = await verify(gpu, sample.plan);
    sample.dispose();
    assert.is(fault && JSON.stringify(fault), undefined, `${dtype}, ${sample.plan.name}`);
  }
}

const IN_NODE = "tests of models judge no runtime: they run in Node";
const ELSEWHERE = { deno: IN_NODE, chrome: IN_NODE };
/** All of them in Node; elsewhere one. */
const models = Object.entries(MODELS).slice(0, runtime === "node" ? undefined : 1);

const FORMATS: readonly WeightFormat[] = ["f32", "f16", "bf16", "int8", "int4"];

for (const [index, [name, [config, generation]]] of models.entries()) {
  const formats = [0, 2].map((step) => FORMATS[(index + step) % FORMATS.length]);
  test(`${name}: every launch agrees with its reference in ${formats.join(" and ")}`, async () => {
    const gpu = await device();
    const source = await tinyCheckpoint(config, generation, 5);
    for (const dtype of formats) {
      await using model = await load(source, { gpu, dtype });
      await agrees(gpu, model, dtype);
    }
  });
}

test(
  "variants for GPUs agree as well",
  async () => {
    const gpu = await openGpu({ adapter: "gpu", guard: true });
    for (const [config, generation] of [
      MODELS["llama, heads of 6 in 30, 37 between, 99 tokens"],
      MODELS["gpt2, heads of 37"],
      MODELS["bert, heads of 5 in 15"],
    ]) {
      const source = await tinyCheckpoint(config, generation, 7);
      for (const dtype of ["f16", "int8"] as const) {
        await using model = await load(source, { gpu, dtype });
        await agrees(gpu, model, dtype);
      }
    }
    gpu.dispose();
  },
  ELSEWHERE,
);

test(
  "weights of odd widths in parts agree with their references as well",
  async () => {
    const gpu = await device();
    const limited = { ...gpu, memory: { ...gpu.memory, weightLimit: 700 } };
    for (const config of [llama(37, 3, 1, 90, 99, 8), gpt2(16, 2, 37, 99)]) {
      const source = await tinyCheckpoint(config, NO_END, 6);
      for (const dtype of ["f32", "bf16", "int4"] as const) {
        await using model = await load(source, { gpu: limited, dtype });
        assert.ok(model.weights.parts("lm_head.weight").length > 1, dtype);
        await agrees(gpu, model, dtype);
      }
    }
  },
  ELSEWHERE,
);

for (const [name, [config, generation]] of models) {
  if (config.model_type === "bert") continue;
  test(`${name}: a search scores its tokens as one pass over the whole text does`, async () => {
    await using model = await load(await tinyCheckpoint(config, generation, 5), { gpu: await device() });
    const source = [
      [3, 1, 4, 1, 2],
      [2, 4],
    ];
    const options = { num_beams: 3, max_new_tokens: 9, length_penalty: 0 };
    const { sequences, sequences_scores = [] } = await model.generate({ input_ids: source }, options);
    const made = sequences.map((row) => ("d_model" in config ? targetOf(row) : row.slice(-9)));
    const sums = (await model.score({ input_ids: source }, made)).map((row) => row.reduce((sum, one) => sum + one, 0));
    sums.forEach((sum, b) => {
      const got = sequences_scores[b];
      assert.ok(Math.abs(sum - got) < 1e-4 * Math.max(1, Math.abs(sum)), `row ${b} must score ${sum}, got ${got}`);
    });
  });
}

/** What a translation adds to its start token, up to the end token 0 if there is one. */
function targetOf([, ...tokens]: readonly number[]): number[] {
  const end = tokens.indexOf(0);
  return end < 0 ? tokens : tokens.slice(0, end + 1);
}

const REFUSED: Readonly<Record<string, readonly [Config, RegExp]>> = {
  "a rotary head of odd width": [
    llama(30, 6, 6, 37, 99),
    /config\.json: hidden_size \/ num_attention_heads must be even/,
  ],
  "a head_dim that is odd": [llama(30, 5, 1, 37, 99, 7), /config\.json: head_dim must be even.*got 7/],
  "heads that do not divide the width": [gpt2(30, 4, 37, 99), /config\.json: n_head must be a divisor of n_embd=30/],
  "query heads that key heads do not divide": [
    llama(30, 5, 2, 37, 99),
    /config\.json: num_key_value_heads must be a divisor of num_attention_heads=5/,
  ],
};

for (const [name, [config, message]] of Object.entries(REFUSED)) {
  test(`${name} is refused at load`, () => refuses(() => tinyCheckpoint(config, {}, 1), CheckpointError, message));
}
