import type { WeightRow } from "../checkpoint/rows.js";
import { readConfig } from "../checkpoint/config.js";
import type { Stack } from "../graph/architecture.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow, type With } from "./family.js";

/**
 * Marian (Junczys-Dowmunt et al. 2018), as `MarianMTModel` of Transformers: post-norm, sinusoidal positions, tied
 * embeddings.
 */
export const marian: Family<With<"encoder" | "decoder">> = {
  model_type: "marian",

  architecture(config) {
    const read = readConfig(config);
    const D = read.count("d_model");
    const stack = (side: string): Stack => {
      const H = read.divisor(`${side}_attention_heads`, "d_model");
      return {
        depth: read.count(`${side}_layers`),
        F: read.count(`${side}_ffn_dim`),
        ...equalHeads(D, H),
        P: read.count("max_position_embeddings"),
        embeddingScale: read.flag("scale_embedding", false) ? Math.sqrt(D) : 1,
        lastNorm: false,
      };
    };
    return {
      family: "marian",
      D,
      V: read.count("vocab_size"),
      encoder: stack("encoder"),
      decoder: stack("decoder"),
      norm: "layernorm",
      placement: "post",
      eps: 1e-5,
      activation: read.activation("activation_function"),
      gated: false,
    };
  },

  rows({ D, V, encoder, decoder }, config) {
    const { flag } = readConfig(config);
    const shared = flag("share_encoder_decoder_embeddings", true);
    const tokens = (side: string): string => (shared ? "model.shared" : `model.${side}.embed_tokens`);
    const head = flag("tie_word_embeddings", true) ? tokens("decoder") : "lm_head";
    const stack = (side: string, { P, F, depth }: Stack, crossRows: readonly WeightRow[]): WeightRow[] => [
      tableRow(`${side}.embed_tokens`, tokens(side), [V, D], { lookup: true }),
      { ours: `${side}.embed_positions.weight`, theirs: [], shape: [P, D], derive: () => sinusoids(P, D) },
      ...layerRows(`${side}.layers`, `model.${side}.layers`, depth, [
        ...linearRows("self_attn.qkv", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], 3 * D, D),
        ...linearRows("self_attn.out", ["self_attn.out_proj"], D, D),
        ...normRows("self_attn_norm", "self_attn_layer_norm", D),
        ...crossRows,
        ...linearRows("fc1", ["fc1"], F, D),
        ...linearRows("fc2", ["fc2"], D, F),
        ...normRows("final_norm", "final_layer_norm", D),
      ]),
    ];
    return [
      ...stack("encoder", encoder, []),
      ...stack("decoder", decoder, [
        ...linearRows("cross_attn.q", ["encoder_attn.q_proj"], D, D),
        ...linearRows("cross_attn.kv", ["encoder_attn.k_proj", "encoder_attn.v_proj"], 2 * D, D),
        ...linearRows("cross_attn.out", ["encoder_attn.out_proj"], D, D),
        ...normRows("cross_attn_norm", "encoder_attn_layer_norm", D),
      ]),
      ...linearRows("lm_head", [head], V, D, { bias: false }),
      { ours: "lm_head.bias", theirs: ["final_logits_bias"], shape: [V], stored: [1, V] },
    ];
  },

  ignored(config) {
    const tied = readConfig(config).flag("tie_word_embeddings", true) ? [/^lm_head\.weight$/] : [];
    return [...tied, /^model\.(en|de)coder\.embed_(positions|tokens)\.weight$/];
  },
};

/** Sines in the first half of a row, cosines in the second: MarianSinusoidalPositionalEmbedding of Transformers. */
function sinusoids(P: number, D: number): Float32Array<ArrayBuffer> {
  const half = Math.ceil(D / 2);
  return Float32Array.from({ length: P * D }, (_, index) => {
    const [position, d] = [Math.floor(index / D), index % D];
    const angle = (pair: number): number => position / 10000 ** ((2 * pair) / D);
    return d < half ? Math.sin(angle(d)) : Math.cos(angle(d - half));
  });
}
