// A step of a translation model of the size of OPUS-MT's, with random weights, against onnxruntime-node.
import { writeCheckpoint } from "../encoder/checkpoint.mjs";
import { here } from "../harness.mjs";
import { randoms } from "../build/random.mjs";
import { measureMarian } from "./node.mjs";

const [L, D, H, F, V, P] = [6, 512, 8, 2048, 32000, 512]; // Tiedemann and Thottingal 2020; V is 58,101 in most of them
const [START, END] = [V - 1, 0];
const SPREAD = 0.06; // of weights
const TOKENS = 24; // of a target
const BATCHES = [
  { B: 1, W: 4, S: 32, rounds: 9 },
  { B: 8, W: 4, S: 32, rounds: 5 },
];

const config = {
  architectures: ["MarianMTModel"],
  model_type: "marian",
  d_model: D,
  vocab_size: V,
  encoder_layers: L,
  decoder_layers: L,
  encoder_attention_heads: H,
  decoder_attention_heads: H,
  encoder_ffn_dim: F,
  decoder_ffn_dim: F,
  activation_function: "relu",
  scale_embedding: true,
  max_position_embeddings: P,
  pad_token_id: START,
  decoder_start_token_id: START,
  eos_token_id: END,
  is_encoder_decoder: true,
};

/** Names and sizes of all tensors; a linear weight is [out,in]. */
function tensors() {
  const linear = (name, O, I) => [
    [`${name}.weight`, [O, I]],
    [`${name}.bias`, [O]],
  ];
  const norm = (name) => linear(name, D, 1).map(([one]) => [one, [D]]);
  const attention = (name) => ["q", "k", "v", "out"].flatMap((part) => linear(`${name}.${part}_proj`, D, D));
  const layer = (at, cross) => [
    ...attention(`${at}.self_attn`),
    ...norm(`${at}.self_attn_layer_norm`),
    ...(cross ? [...attention(`${at}.encoder_attn`), ...norm(`${at}.encoder_attn_layer_norm`)] : []),
    ...linear(`${at}.fc1`, F, D),
    ...linear(`${at}.fc2`, D, F),
    ...norm(`${at}.final_layer_norm`),
  ];
  const stack = (side) => Array.from({ length: L }, (_, l) => layer(`model.${side}.layers.${l}`, side === "decoder"));
  return [
    ["model.shared.weight", [V, D]],
    ["final_logits_bias", [1, V]],
    ...stack("encoder").flat(),
    ...stack("decoder").flat(),
  ];
}

/** Writes the checkpoint. Norms are near 1. */
function writeModel(folder) {
  const random = randoms(31);
  const filled = tensors().map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    const centre = name.endsWith("layer_norm.weight") ? 1 : 0;
    for (let at = 0; at < data.length; at++) data[at] = centre + SPREAD * random();
    return [name, { shape, data }];
  });
  writeCheckpoint(folder, { config, tensors: new Map(filled) });
}

export async function measureTranslation(report, limit = Infinity) {
  const folder = `${here}build/opus-mt`;
  writeModel(folder);
  const random = randoms(37);
  const row = (S) => Array.from({ length: S }, () => 1 + Math.floor(((random() + 1) / 2) * (V - 2)));
  await measureMarian(report, {
    folder,
    name: "opus-mt's shape",
    cases: (model) =>
      Promise.all(
        BATCHES.map(async ({ B, W, S, rounds }) => {
          const input_ids = Array.from({ length: B }, () => row(S));
          const inputs = { input_ids, attention_mask: input_ids.map((ids) => ids.map(() => 1)) };
          const length = { min_new_tokens: TOKENS, max_length: TOKENS + 1 };
          const options = { num_beams: W, num_return_sequences: W, ...length };
          const { sequences } = await model.generate(inputs, options);
          return { inputs, options, expected: { sequences }, rounds: Math.min(rounds, limit) };
        }),
      ),
  });
}
