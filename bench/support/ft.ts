import type { EncoderOutputs } from "../../src/index.js";
import { randoms } from "../../tests/support/random.js";
import { tinyCheckpoint } from "../../tests/support/tiny.js";

/**
 * The decoder of FasterTransformer's benchmark (sample/tensorflow/scripts/profile_decoding_op_performance.sh of v2.0): 8
 * heads of 64, feed-forward layers of 2048, 6 layers, 30,000 tokens; pre-norm and ReLU, as M2M100 has them. No end token:
 * every row takes as many steps as the sources are long at most, as there.
 */
export const FT = { D: 512, H: 8, E: 64, F: 2048, L: 6, V: 30000, start: 1 };

/** The decoder with random weights, as a source for `load`; its encoder has one layer, as nobody uses it. */
export const ftDecoder = () =>
  tinyCheckpoint(
    {
      model_type: "m2m_100",
      d_model: FT.D,
      vocab_size: FT.V,
      encoder_layers: 1,
      decoder_layers: FT.L,
      encoder_ffn_dim: FT.F,
      decoder_ffn_dim: FT.F,
      encoder_attention_heads: FT.H,
      decoder_attention_heads: FT.H,
      activation_function: "relu",
      max_position_embeddings: 256,
      pad_token_id: 2,
    },
    { decoder_start_token_id: FT.start, pad_token_id: 2 },
    1,
  );

/** The encoder of its other benchmark, BERT-base's layers: 12 of 12 heads of 64; a small vocabulary, which costs nothing. */
export const ftEncoder = () =>
  tinyCheckpoint(
    {
      model_type: "bert",
      hidden_size: 768,
      num_attention_heads: 12,
      num_hidden_layers: 12,
      intermediate_size: 3072,
      vocab_size: 1000,
      max_position_embeddings: 128,
    },
    {},
    1,
  );

/** What the decoder attends to: normal numbers of deviation 0.01, in sources of 1 to S rows; zeros beyond them. */
export function ftMemory(B: number, S: number): EncoderOutputs {
  const random = randoms(1);
  const uniform = (): number => (random() + 1) / 2;
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const data = new Float32Array(B * S * FT.D);
  const attention_mask = Array.from({ length: B }, (_, b) => {
    const length = 1 + Math.floor(uniform() * S);
    for (let i = 0; i < length * FT.D; i++) data[b * S * FT.D + i] = 0.01 * normal();
    return Array.from({ length: S }, (_, s) => Number(s < length));
  });
  return { last_hidden_state: { dims: [B, S, FT.D], data }, attention_mask };
}
