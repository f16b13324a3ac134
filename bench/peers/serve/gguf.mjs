// Writes GPT-2 as GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), which llama.cpp reads.
import { readFileSync } from "node:fs";
import { open } from "../decoder/graphs.mjs";

const [U32, F32, TEXT, LIST] = [4, 6, 8, 9]; // types of values
const ALIGNMENT = 32;
const utf8 = new TextEncoder();

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const f32 = (value) => Buffer.from(Float32Array.of(value).buffer);
const text = (value) => {
  const bytes = utf8.encode(value);
  return Buffer.concat([u64(bytes.length), bytes]);
};

/** A value with its type before it: a text, a list of texts, a whole number, or `{ f32 }`. */
function typed(value) {
  if (typeof value === "string") return Buffer.concat([u32(TEXT), text(value)]);
  if (Array.isArray(value)) return Buffer.concat([u32(LIST), u32(TEXT), u64(value.length), ...value.map(text)]);
  return typeof value === "number" ? Buffer.concat([u32(U32), u32(value)]) : Buffer.concat([u32(F32), f32(value.f32)]);
}

const padding = (length) => Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);

/** A file of values by name, and of f32 tensors `{ name, shape, data }`. */
function gguf(values, tensors) {
  let at = 0;
  const infos = tensors.map(({ name, shape, data }) => {
    const dims = [...shape].reverse(); // the fastest first
    const info = Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(0), u64(at)]);
    at += data.byteLength + padding(data.byteLength).length;
    return info;
  });
  const head = Buffer.concat([
    utf8.encode("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(Object.keys(values).length),
    ...Object.entries(values).flatMap(([name, value]) => [text(name), typed(value)]),
    ...infos,
  ]);
  const bodies = tensors.flatMap(({ data }) => [
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    padding(data.byteLength),
  ]);
  return Buffer.concat([head, padding(head.length), ...bodies]);
}

/** A checkpoint of GPT-2 in f32, by llama.cpp's names. */
export function gpt2Gguf(folder) {
  const { config, read, transposed } = open(folder);
  const { n_embd: D, n_head: H, n_layer: L, n_positions: P, layer_norm_epsilon: eps } = config;
  const { vocab, merges } = JSON.parse(readFileSync(`${folder}/tokenizer.json`, "utf8")).model;
  const tensor = (name, theirs, get = read) => ({ name, ...get(`transformer.${theirs}`) });
  const pair = (name, theirs, get) => [
    tensor(`${name}.weight`, `${theirs}.weight`, get),
    tensor(`${name}.bias`, `${theirs}.bias`),
  ];
  const layer = (l) => [
    ...pair(`blk.${l}.attn_norm`, `h.${l}.ln_1`),
    ...pair(`blk.${l}.attn_qkv`, `h.${l}.attn.c_attn`, transposed),
    ...pair(`blk.${l}.attn_output`, `h.${l}.attn.c_proj`, transposed),
    ...pair(`blk.${l}.ffn_norm`, `h.${l}.ln_2`),
    ...pair(`blk.${l}.ffn_up`, `h.${l}.mlp.c_fc`, transposed),
    ...pair(`blk.${l}.ffn_down`, `h.${l}.mlp.c_proj`, transposed),
  ];
  return gguf(
    {
      "general.architecture": "gpt2",
      "general.name": "gpt2",
      "general.alignment": ALIGNMENT,
      "gpt2.context_length": P,
      "gpt2.embedding_length": D,
      "gpt2.feed_forward_length": 4 * D,
      "gpt2.block_count": L,
      "gpt2.attention.head_count": H,
      "gpt2.attention.layer_norm_epsilon": { f32: eps },
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.tokens": Object.entries(vocab)
        .sort(([, a], [, b]) => a - b)
        .map(([token]) => token),
      "tokenizer.ggml.merges": merges.map((merge) => (Array.isArray(merge) ? merge.join(" ") : merge)),
      "tokenizer.ggml.eos_token_id": 0,
      "tokenizer.ggml.bos_token_id": 0,
    },
    [
      tensor("token_embd.weight", "wte.weight"),
      tensor("position_embd.weight", "wpe.weight"),
      ...Array.from({ length: L }, (_, l) => layer(l)).flat(),
      ...pair("output_norm", "ln_f"),
    ],
  );
}
