import { type Checkpoint, type Json } from "../../src/model/checkpoint/checkpoint.js";
import { storedNames, storedShape } from "../../src/model/checkpoint/rows.js";
import type { Entry } from "../../src/model/checkpoint/safetensors.js";
import { describeCheckpoint } from "../../src/model/families/index.js";

/** config.json of models that many know, as far as it says anything of their shape. */
export const SHAPES: Readonly<Record<string, Json>> = {
  "all-MiniLM-L6-v2": {
    architectures: ["BertModel"],
    model_type: "bert",
    hidden_size: 384,
    intermediate_size: 1536,
    num_attention_heads: 12,
    num_hidden_layers: 6,
    vocab_size: 30522,
  },
  "bert-base-uncased": {
    architectures: ["BertModel"],
    model_type: "bert",
    hidden_size: 768,
    intermediate_size: 3072,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    vocab_size: 30522,
  },
  gpt2: {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    n_embd: 768,
    n_head: 12,
    n_layer: 12,
    vocab_size: 50257,
  },
  "llama-3.2-1b": {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    dtype: "bfloat16",
    hidden_size: 2048,
    intermediate_size: 8192,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    num_hidden_layers: 16,
    max_position_embeddings: 131072,
    tie_word_embeddings: true,
    vocab_size: 128256,
  },
  "opus-mt-en-de": {
    architectures: ["MarianMTModel"],
    model_type: "marian",
    d_model: 512,
    decoder_attention_heads: 8,
    decoder_ffn_dim: 2048,
    decoder_layers: 6,
    decoder_start_token_id: 58100,
    encoder_attention_heads: 8,
    encoder_ffn_dim: 2048,
    encoder_layers: 6,
    max_position_embeddings: 512,
    pad_token_id: 58100,
    eos_token_id: 0,
    scale_embedding: true,
    activation_function: "swish",
    vocab_size: 58101,
  },
  "qwen3-0.6b": {
    architectures: ["Qwen3ForCausalLM"],
    model_type: "qwen3",
    dtype: "bfloat16",
    hidden_size: 1024,
    intermediate_size: 3072,
    num_attention_heads: 16,
    num_key_value_heads: 8,
    head_dim: 128,
    num_hidden_layers: 28,
    max_position_embeddings: 40960,
    tie_word_embeddings: true,
    vocab_size: 151936,
  },
};

/** The name of a shape, in any case; undefined when there is none. */
export const findShape = (text: string): string | undefined =>
  Object.keys(SHAPES).find((name) => name.toLowerCase() === text.toLowerCase());

const STORED: Readonly<Record<string, readonly [dtype: string, bytes: number]>> = {
  bfloat16: ["BF16", 2],
  float16: ["F16", 2],
  float32: ["F32", 4],
};

/** Headers among which any size and any number of layers may be. */
const roomy = new Map(
  Array.from({ length: 4096 }, (_, index): [string, Entry] => {
    const name = `any.${index}`;
    return [name, { name, dtype: "F32", shape: [2 ** 31], start: 0, end: 0, file: "" }];
  }),
);

const unread = (): never => {
  throw new Error("a shape holds no weights");
};

/**
 * A checkpoint that has headers alone: those of the tensors that a model of this config is made of. Throws
 * CheckpointError for a config that is not supported.
 */
export async function shapeOf(label: string, config: Json): Promise<Checkpoint> {
  const none = async (): Promise<undefined> => undefined;
  const empty: Checkpoint = {
    label,
    config,
    generationConfig: undefined,
    entries: roomy,
    json: none,
    list: none,
    text: none,
    fetch: none,
    read: unread,
    readBytes: unread,
    folder: unread,
  };
  const { family, checkpoint, architecture } = await describeCheckpoint(empty);
  const [dtype, bytes] = STORED[String(config.dtype ?? config.torch_dtype)] ?? STORED.float32;
  const entries = new Map<string, Entry>();
  let start = 0;
  for (const row of family.rows(architecture, checkpoint.config, checkpoint.entries)) {
    for (const name of storedNames(row)) {
      if (entries.has(name)) continue;
      const shape = storedShape(row, row.theirs.indexOf(name));
      const end = start + bytes * shape.reduce((product, size) => product * size, 1);
      entries.set(name, { name, dtype, shape, start, end, file: "model.safetensors" });
      start = end;
    }
  }
  return { ...empty, entries };
}
