// BERT with random weights: a checkpoint as Hugging Face keeps it, and the same numbers for a graph.
import { mkdirSync, writeFileSync } from "node:fs";
import { randoms } from "../build/random.mjs";

const POSITIONS = 512;
const SPREAD = 0.06; // of weights

function configOf({ L, D, H, F, vocab }) {
  return {
    architectures: ["BertModel"],
    model_type: "bert",
    hidden_size: D,
    num_hidden_layers: L,
    num_attention_heads: H,
    intermediate_size: F,
    hidden_act: "gelu",
    layer_norm_eps: 1e-12,
    vocab_size: vocab,
    type_vocab_size: 2,
    max_position_embeddings: POSITIONS,
    pad_token_id: 0,
    position_embedding_type: "absolute",
  };
}

/** Names and sizes of all tensors in their order; a linear weight is [out,in]. */
function tensorsOf({ L, D, F, vocab }) {
  const linear = (name, O, I) => [
    [`${name}.weight`, [O, I]],
    [`${name}.bias`, [O]],
  ];
  const norm = (name) => [
    [`${name}.weight`, [D]],
    [`${name}.bias`, [D]],
  ];
  const layer = (l) => {
    const at = `encoder.layer.${l}`;
    return [
      ...["query", "key", "value"].flatMap((part) => linear(`${at}.attention.self.${part}`, D, D)),
      ...linear(`${at}.attention.output.dense`, D, D),
      ...norm(`${at}.attention.output.LayerNorm`),
      ...linear(`${at}.intermediate.dense`, F, D),
      ...linear(`${at}.output.dense`, D, F),
      ...norm(`${at}.output.LayerNorm`),
    ];
  };
  return [
    ["embeddings.word_embeddings.weight", [vocab, D]],
    ["embeddings.position_embeddings.weight", [POSITIONS, D]],
    ["embeddings.token_type_embeddings.weight", [2, D]],
    ...norm("embeddings.LayerNorm"),
    ...Array.from({ length: L }, (_, l) => layer(l)).flat(),
  ];
}

/** The configuration, and `{ shape, data }` by name. */
export function randomBert(shape) {
  const random = randoms(11);
  const tensors = new Map(
    tensorsOf(shape).map(([name, dims]) => {
      const centre = name.endsWith("LayerNorm.weight") ? 1 : 0;
      const data = new Float32Array(dims.reduce((a, b) => a * b));
      for (let at = 0; at < data.length; at++) data[at] = centre + SPREAD * random();
      return [name, { shape: dims, data }];
    }),
  );
  return { config: configOf(shape), tensors };
}

/** Writes config.json and model.safetensors. */
export function writeCheckpoint(folder, { config, tensors }) {
  let end = 0;
  const header = {};
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [end, (end += data.byteLength)] };
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const parts = [...tensors.values()].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/config.json`, `${JSON.stringify(config, null, 1)}\n`);
  writeFileSync(`${folder}/model.safetensors`, Buffer.concat([length, padded, ...parts]));
}
