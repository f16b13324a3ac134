import { load } from "../src/index.js";
import { type Json, openCheckpoint } from "../src/model/checkpoint/checkpoint.js";
import { describeCheckpoint } from "../src/model/families/index.js";
import { CheckpointError } from "../src/runtime/errors.js";
import { type Change, changed, changes, outputs, outputsOf, rename, type Tensors } from "./support/changed.js";
import { assert, device, folder, readJson, refuses, suite } from "./support/harness.js";
import { inMemory, roomy, stored, storedF32 } from "./support/safetensors.js";

const test = suite("checkpoints as people have them", { chrome: "the host reads files alike in Node and Deno" });

const { same, refusesChange } = changes(test);

const HEADS = /^(lm_head|proj_out|classifier|final_logits_bias)/;
const PREFIXES: Readonly<Record<string, string>> = {
  bert: "bert",
  "bert-token-classifier": "bert",
  "bert-sequence-classifier": "bert",
  roberta: "roberta",
  distilbert: "distilbert",
  gpt2: "transformer",
  llama: "model",
  "llama3-rope": "model",
  qwen2: "model",
  qwen3: "model",
  marian: "model",
  mt5: "transformer",
  whisper: "model",
};
for (const [fixture, prefix] of Object.entries(PREFIXES)) {
  same(`${fixture} without ${prefix}. in front of its tensors`, fixture, (tensors) =>
    rename(tensors, (name) => (name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : name)),
  );
  same(`${fixture} with ${prefix}. in front of its tensors`, fixture, (tensors) =>
    rename(tensors, (name) => (HEADS.test(name) || name.startsWith(`${prefix}.`) ? name : `${prefix}.${name}`)),
  );
}

const EXTRA: Readonly<Record<string, readonly string[]>> = {
  bert: ["embeddings.position_ids", "embeddings.token_type_ids", "cls.predictions.bias", "qa_outputs.weight"],
  roberta: ["roberta.embeddings.position_ids", "lm_head.dense.weight", "classifier.out_proj.weight"],
  distilbert: ["embeddings.position_ids", "vocab_projector.weight", "pre_classifier.bias"],
  "bert-token-classifier": ["bert.pooler.dense.weight", "bert.embeddings.position_ids"],
  gpt2: ["transformer.h.0.attn.bias", "h.1.attn.masked_bias", "score.weight", "v_head.summary.weight"],
  llama: ["model.layers.1.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq", "score.weight"],
  qwen2: ["layers.0.self_attn.rotary_emb.inv_freq", "value_head.weight"],
  marian: ["classification_head.weight"],
  mt5: ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"],
  whisper: ["projector.weight", "classifier.bias"],
};
for (const [fixture, names] of Object.entries(EXTRA)) {
  test(`${fixture} with buffers and heads of other tasks, which are listed`, async () => {
    const files = await changed(fixture, (tensors) => {
      for (const name of names) tensors[name] = stored("I64", [1, 2], BigInt64Array.of(0n, 1n));
    });
    const model = await load(inMemory(files), { gpu: await device() });
    assert.equal(await outputs(model), await outputsOf(await changed(fixture, () => {})));
    const prefix = `${PREFIXES[fixture]}.`;
    const bare = names.map((name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name));
    bare.forEach((name) => assert.ok(model.weights.unused.includes(name), name));
    model.dispose();
  });
}
for (const dtype of ["F8_E4M3", "F8_E8M0", "BOOL", "I8"])
  same(`an unused tensor of ${dtype}`, "llama", (tensors) => {
    tensors["other.weight"] = stored(dtype, [2], Uint16Array.of(77));
  });
refusesChange(
  "an unknown tensor inside of the model",
  "llama",
  (tensors) => {
    tensors["model.layers.0.self_attn.gate.weight"] = storedF32([1], [1]);
  },
  /1 do not:\n {2}extra: model\.layers\.0\.self_attn\.gate\.weight$/,
);

// Tied weights.
const untied: Change = (tensors, config) => {
  config.tie_word_embeddings = false;
  tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] ?? tensors["transformer.wte.weight"];
};
for (const [fixture, name] of [
  ["gpt2", "transformer.wte.weight"],
  ["qwen2", "model.embed_tokens.weight"],
  ["llama3-rope", "model.embed_tokens.weight"],
] as const) {
  same(`${fixture} with its table stored as lm_head.weight alone`, fixture, (tensors) =>
    rename(tensors, (old) => (old === name ? "lm_head.weight" : old)),
  );
  same(`${fixture} with its table stored twice`, fixture, (tensors) => {
    tensors["lm_head.weight"] = tensors[name];
  });
  same(`${fixture} with its table stored once and untied is as it is tied`, fixture, untied);
  const ones: Change = (tensors) => {
    const { shape, data } = tensors[name];
    tensors["lm_head.weight"] = storedF32(
      shape,
      new Float32Array(data.buffer).map((value) => 2 * value),
    );
  };
  same(
    `${fixture} that is tied, with a head of its own, uses that`,
    fixture,
    ones,
    (tensors, config) => void (ones(tensors, config), (config.tie_word_embeddings = false)),
  );
}
test("a table that is stored twice takes its memory once", async () => {
  const gpu = await device();
  const before = gpu.use().weight;
  const sizes: number[] = [];
  for (const twice of [false, true]) {
    const files = await changed("gpt2", (tensors) => {
      if (twice) tensors["lm_head.weight"] = tensors["transformer.wte.weight"];
    });
    const model = await load(inMemory(files), { gpu });
    sizes.push(gpu.use().weight - before);
    model.dispose();
  }
  assert.is(sizes[0], sizes[1]);
});

const TABLES = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"];
for (const name of TABLES)
  same(`marian with its table stored as ${name} alone`, "marian", (tensors) =>
    rename(tensors, (old) => (old === "model.shared.weight" ? name : old)),
  );
same("marian with its table stored four times", "marian", (tensors) => {
  for (const name of TABLES) tensors[name] = tensors["model.shared.weight"];
});
same("marian untied, with the table of the encoder and the decoder stored once", "marian", (tensors, config) => {
  config.tie_word_embeddings = false;
  tensors["lm_head.weight"] = tensors["model.shared.weight"];
});
same("marian untied, with tables that are not shared", "marian", (tensors, config) => {
  config.tie_word_embeddings = config.share_encoder_decoder_embeddings = false;
  for (const name of TABLES) tensors[name] = tensors["model.shared.weight"];
  delete tensors["model.shared.weight"];
});
same("marian tied, with a table of the encoder alone", "marian", (tensors, config) => {
  config.share_encoder_decoder_embeddings = false;
  for (const name of TABLES.slice(0, 2)) tensors[name] = tensors["model.shared.weight"];
  delete tensors["model.shared.weight"];
});
for (const both of [false, true])
  same(`whisper with its table stored as proj_out.weight ${both ? "too" : "alone"}`, "whisper", (tensors) => {
    const name = "model.decoder.embed_tokens.weight";
    tensors["proj_out.weight"] = tensors[name];
    if (!both) delete tensors[name];
  });
same(
  "marian without a bias of the logits has zeros",
  "marian",
  (tensors) => void delete tensors.final_logits_bias,
  (tensors) => void (tensors.final_logits_bias = storedF32([1, 97], new Float32Array(97))),
);
const zeroPositions = storedF32([80, 64], new Float32Array(80 * 64));
for (const prefix of ["model.", ""])
  test(`marian with positions of its own, stored as ${prefix}encoder.embed_positions.weight`, async () => {
    const plain = await outputsOf(await changed("marian", () => {}));
    const own = await outputsOf(
      await changed("marian", (tensors) => void (tensors[`${prefix}encoder.embed_positions.weight`] = zeroPositions)),
    );
    assert.ok(own.every(Number.isFinite) && own.some((value, i) => Math.abs(value - plain[i]) > 0.01));
  });
// Files.
const index = { weight_map: { a: "model-1.safetensors" } };
same("a whole file beside an index of shards that are gone", "llama", () => ({
  "model.safetensors.index.json": index,
}));
test("shards may lie in a folder", async () => {
  const { "model.safetensors": file, ...files } = await changed("llama", () => {});
  const sharded = {
    ...files,
    "weights/1.safetensors": file,
    "model.safetensors.index.json": { weight_map: { a: "weights/1.safetensors" } },
  };
  assert.equal(await outputsOf(sharded), await outputsOf({ ...files, "model.safetensors": file }));
});
for (const name of ["../x", "/x", "a//x", "./x", "a/../../x", "http://h/x", "//h/x", "a\\x", "a\0", "", "c:x", "."]) {
  test(`refuses ${JSON.stringify(name)} as the name of a file`, async () => {
    const files = await changed("llama", () => {});
    const asked: string[] = [];
    const source = inMemory(files);
    const checkpoint = await openCheckpoint((asking: string) => (asked.push(asking), source(asking)));
    await refuses(() => checkpoint.json(name), CheckpointError, /must be the path of a file inside the checkpoint/);
    await refuses(() => checkpoint.list(name), CheckpointError, /must be the path of a file inside the checkpoint/);
    const { "model.safetensors": _, ...rest } = files;
    const sharded = { ...rest, "model.safetensors.index.json": { weight_map: { a: name } } };
    await refuses(() => openCheckpoint(inMemory(sharded)), CheckpointError, /weight_map must give a file name/);
    assert.not(asked.includes(name));
  });
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const LFS = text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5234\n");
for (const [title, content, message] of [
  ["a pointer of git-lfs", LFS, /model\.safetensors: is a pointer of git-lfs.*git lfs pull/],
  ["a web page", text(`<!DOCTYPE html><html>${"x".repeat(99)}</html>`), /model\.safetensors: is a web page/],
  ["a file of PyTorch", text(`PK\u0003\u0004${"x".repeat(99)}`), /model\.safetensors: is a file of PyTorch/],
] as const)
  refusesChange(
    `${title} in place of the weights, saying so`,
    "llama",
    () => ({ "model.safetensors": content }),
    message,
  );
refusesChange(
  "a pointer of git-lfs in place of the config, saying so",
  "llama",
  () => ({ "config.json": LFS }),
  /config\.json: is a pointer of git-lfs/,
);
for (const name of ["pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "adapter_model.safetensors"])
  test(`refuses a checkpoint that has only ${name}, naming it`, async () => {
    const { "model.safetensors": _, ...files } = await changed("llama", () => {});
    const message = new RegExp(`must hold model\\.safetensors, found only ${name}`);
    await refuses(() => openCheckpoint(inMemory({ ...files, [name]: LFS })), CheckpointError, message);
  });

const Q = "model.layers.0.self_attn.q_proj";
for (const [what, change] of [
  ["GPTQ or AWQ", (t: Tensors) => void ((t[`${Q}.qweight`] = t[`${Q}.weight`]), delete t[`${Q}.weight`])],
  ["bitsandbytes", (t: Tensors) => void (t[`${Q}.weight.absmax`] = storedF32([1], [1]))],
  ["fp8", (t: Tensors) => void (t[`${Q}.weight`] = stored("F8_E4M3", [64, 64], new Uint16Array(2048)))],
  ["LoRA", (t: Tensors) => void (t[`${Q}.lora_A.weight`] = storedF32([1], [1]))],
] as const)
  refusesChange(`tensors of ${what}, saying so`, "llama", change, new RegExp(`are those of ${what}.*not supported`));

refusesChange(
  "tensors that config.json says are quantised, naming the method",
  "llama",
  (tensors, config) => {
    rename(tensors, (name) => name.replace(/q_proj\.weight$/, "q_proj.W_q"));
    config.quantization_config = { quant_method: "hqq" };
  },
  /are those of hqq, which is not supported/,
);

// Configs.
for (const [title, fixture, change, message] of [
  [
    "labels that are numbers",
    "bert-token-classifier",
    { id2label: { 0: 0, 1: 1 } },
    /id2label must give a text.*got 0 for 0/,
  ],
  ["labels that are a text", "bert-token-classifier", { id2label: "ab" }, /id2label must name every label, got "ab"/],
  [
    "another number of labels",
    "bert-token-classifier",
    { id2label: null, num_labels: 1e9 },
    /num_labels must be \d+, as/,
  ],
  [
    "architectures that are a text",
    "bert",
    { architectures: "BertModel" },
    /architectures must be a list.*"BertModel"/,
  ],
  ["architectures that are a number", "bert", { architectures: 5 }, /architectures must be a list of names, got 5/],
  ["too many layers", "bert", { num_hidden_layers: 1e9 }, /num_hidden_layers must be at most 7, as .*got 1000000000/],
  ["too many layers", "gpt2", { n_layer: 1e6 }, /n_layer must be at most \d+, as/],
  ["too many layers", "marian", { decoder_layers: 2 ** 31 }, /decoder_layers must be at most \d+, as/],
  ["too wide heads", "llama", { head_dim: 2e9 }, /head_dim must be at most \d+, as/],
  ["an odd head", "llama", { head_dim: 15 }, /head_dim must be even/],
  ["too wide states", "qwen2", { hidden_size: 1e9, num_attention_heads: 1 }, /hidden_size must be at most \d+, as/],
  [
    "a padding id above all positions",
    "roberta",
    { pad_token_id: 100000 },
    /pad_token_id must be a whole number below/,
  ],
  [
    "a negative epsilon",
    "bert",
    { layer_norm_eps: -1 },
    /layer_norm_eps must be a number that is not negative, got -1/,
  ],
  [
    "windows",
    "qwen2",
    { use_sliding_window: true, sliding_window: 8, max_window_layers: 1, layer_types: null },
    /use_sliding_window/,
  ],
  [
    "windows",
    "qwen3",
    { use_sliding_window: true, sliding_window: 8, layer_types: ["sliding_attention"] },
    /use_sliding_window/,
  ],
  [
    "scaling without a factor",
    "llama",
    { rope_parameters: { rope_type: "linear" } },
    /factor must be a number, got nothing/,
  ],
  ["scaling that is a text", "llama", { rope_parameters: "yarn" }, /rope_parameters must be an object, got "yarn"/],
  ["partly rotated heads", "llama", { partial_rotary_factor: 0.5 }, /partial_rotary_factor must be 1, got 0\.5/],
] as const)
  refusesChange(`${title} in ${fixture}`, fixture, (_, config) => void Object.assign(config, change), message);

for (const [fixture, change] of [
  ["qwen2", { use_sliding_window: true, sliding_window: 8, layer_types: null }],
  ["qwen2", { use_sliding_window: true, sliding_window: 8, max_window_layers: 2, layer_types: null }],
  ["qwen3", { use_sliding_window: true, sliding_window: 8, layer_types: ["full_attention", "full_attention"] }],
  ["qwen3", { use_sliding_window: true, sliding_window: 4096, max_window_layers: 0, layer_types: null }],
  ["qwen2", { use_sliding_window: true, sliding_window: null, max_window_layers: 0, layer_types: null }],
  ["llama", { use_sliding_window: true, sliding_window: 1 }],
] as const)
  same(
    `${fixture} with ${JSON.stringify(change)}: no layer slides`,
    fixture,
    (_, config) => void Object.assign(config, change),
  );

const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  bert: ["layer_norm_eps", "hidden_act", "type_vocab_size", "architectures", "pad_token_id", "is_decoder"],
  roberta: ["hidden_act", "pad_token_id", "layer_norm_eps"],
  distilbert: ["activation", "pad_token_id"],
  gpt2: ["activation_function", "layer_norm_epsilon", "n_inner", "tie_word_embeddings"],
  llama: ["head_dim", "hidden_act", "attention_bias", "mlp_bias", "tie_word_embeddings"],
  qwen2: ["hidden_act", "rms_norm_eps", "use_sliding_window", "sliding_window", "layer_types", "max_window_layers"],
  qwen3: ["hidden_act", "rms_norm_eps", "attention_bias"],
  marian: ["share_encoder_decoder_embeddings", "tie_word_embeddings", "decoder_vocab_size"],
  t5: ["feed_forward_proj", "dense_act_fn", "is_gated_act", "layer_norm_epsilon", "num_decoder_layers"],
  mt5: ["feed_forward_proj", "dense_act_fn", "is_gated_act", "layer_norm_epsilon"],
  whisper: ["activation_function", "num_mel_bins", "scale_embedding", "tie_word_embeddings"],
};
for (const [fixture, keys] of Object.entries(OPTIONAL))
  test(`${fixture} without fields that have their defaults`, async () => {
    const path = `tests/fixtures/${fixture}`;
    const config = await readJson<Record<string, unknown>>(`${path}/config.json`);
    const checkpoint = await openCheckpoint(folder(path));
    const { architecture: whole } = await describeCheckpoint(checkpoint);
    for (const key of keys) {
      const { [key]: value, ...rest } = config;
      if (value === undefined) continue;
      const { architecture: without } = await describeCheckpoint({ ...checkpoint, config: rest });
      if (JSON.stringify(without) !== JSON.stringify(whole))
        assert.unreachable(`${key}, which is ${JSON.stringify(value)}`);
    }
  });

for (const [fixture, alias, key] of [
  ["gpt2", "hidden_size", "n_embd"],
  ["gpt2", "max_position_embeddings", "n_positions"],
  ["distilbert", "num_attention_heads", "n_heads"],
  ["distilbert", "num_hidden_layers", "n_layers"],
  ["marian", "hidden_size", "d_model"],
  ["umt5", "num_hidden_layers", "num_layers"],
  ["umt5", "head_dim", "d_kv"],
  ["whisper", "num_attention_heads", "encoder_attention_heads"],
] as const)
  same(`${fixture} whose config says ${alias} for ${key}`, fixture, (_, config) => {
    config[alias] = config[key];
    delete config[key];
  });
for (const value of [["relu"], { relu: 1 }, 5])
  refusesChange(
    `${JSON.stringify(value)} as an activation`,
    "bert",
    (_, config) => void (config.hidden_act = value),
    /hidden_act must be one of .*relu/,
  );

// The configuration classes of Transformers 5.18.
const SIZES = { V: 30522, D: 768, depth: 12, H: 12, F: 3072, P: 512 };
const QWEN = { V: 151936, D: 4096, depth: 32, H: 32, K: 32, F: 22016, P: 32768, eps: 1e-6, activation: "silu" };
const MULTILINGUAL = {
  V: 250112,
  D: 512,
  E: 64,
  F: 1024,
  depth: 8,
  H: 6,
  eps: 1e-6,
  activation: "gelu_tanh",
  gated: true,
};
const DEFAULTS: Readonly<Record<string, Json>> = {
  bert: { ...SIZES, segments: 2, eps: 1e-12, activation: "gelu" },
  roberta: { ...SIZES, V: 50265, P: 510, positionShift: 2, segments: 2, eps: 1e-12, activation: "gelu" },
  distilbert: { ...SIZES, depth: 6, eps: 1e-12, activation: "gelu" },
  gpt2: { V: 50257, D: 768, depth: 12, H: 12, F: 3072, P: 1024, eps: 1e-5, activation: "gelu_tanh" },
  llama: { V: 32000, D: 4096, depth: 32, H: 32, K: 32, E: 128, F: 11008, P: 2048, eps: 1e-6, activation: "silu" },
  qwen2: QWEN,
  qwen3: { ...QWEN, E: 128 },
  t5: { V: 32128, D: 512, E: 64, F: 2048, depth: 6, H: 8, eps: 1e-6, activation: "relu", gated: false },
  mt5: MULTILINGUAL,
  umt5: MULTILINGUAL,
  marian: { V: 58101, D: 1024, depth: 12, H: 16, F: 4096, P: 1024, activation: "gelu", embeddingScale: 1 },
  whisper: { V: 51865, D: 384, depth: 4, H: 6, F: 1536, eps: 1e-5, activation: "gelu", embeddingScale: 1 },
};
for (const [model_type, wanted] of Object.entries(DEFAULTS))
  test(`${model_type} with an empty config has the sizes of Transformers`, async () => {
    const { architecture } = await describeCheckpoint({ label: "x", config: { model_type }, entries: roomy } as never);
    const { encoder, decoder } = architecture;
    for (const stack of [encoder, decoder].filter(Boolean)) {
      const flat = { ...architecture, ...stack } as unknown as Json;
      for (const [key, value] of Object.entries(wanted)) assert.is(flat[key], value, key);
    }
  });
test("the head of Qwen3 is 128 wide unless the config says otherwise", async () => {
  const config = await readJson<Record<string, unknown>>("tests/fixtures/qwen3/config.json");
  delete config.head_dim;
  const checkpoint = await openCheckpoint(folder("tests/fixtures/qwen3"));
  assert.is((await describeCheckpoint({ ...checkpoint, config })).architecture.decoder?.E, 128);
});

const { input_ids, activations } = await readJson<{ input_ids: number[][]; activations: Record<string, number[]> }>(
  "tests/fixtures/activations.json",
);
for (const [name, wanted] of Object.entries(activations))
  test(`${name} is what it is in Transformers`, async () => {
    const files = await changed("bert", (_, config) => void (config.hidden_act = name));
    const model = await load(inMemory(files), { gpu: await device() });
    const { last_hidden_state } = await model.encode({ input_ids });
    const { data, dims } = last_hidden_state;
    const got = Array.from({ length: dims[1] }, (_, row) => [
      ...data.subarray(row * dims[2], row * dims[2] + 4),
    ]).flat();
    got.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-4, `${i}: ${value} for ${wanted[i]}`));
    model.dispose();
  });
