import type { Architecture, Stack } from "../graph/architecture.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import { equalHeads, type Family, linearRows, normRows } from "./family.js";

/** Marian (Junczys-Dowmunt et al. 2018), as `MarianMTModel` of Transformers: post-norm, sinusoidal positions, tied embeddings. */
export const marian: Family = {
  model_type: "marian",

  architecture(config): Architecture {
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

  rows(a, config) {
    const { flag } = readConfig(config);
    const shared = flag("share_encoder_decoder_embeddings", true);
    const tokens = (side: string): string => (shared ? "model.shared.weight" : `model.${side}.embed_tokens.weight`);
    const head = flag("tie_word_embeddings", true) ? tokens("decoder") : "lm_head.weight";
    const table = (side: "encoder" | "decoder"): WeightRow[] => {
      const { P } = a[side] as Stack;
      return [
        { ours: `${side}.embed_tokens.weight`, theirs: [tokens(side)], shape: [a.V, a.D], lookup: true },
        { ours: `${side}.embed_positions.weight`, theirs: [], shape: [P, a.D], derive: () => sinusoids(P, a.D) },
      ];
    };
    return [
      ...table("encoder"),
      ...stackRows("encoder", a),
      ...table("decoder"),
      ...stackRows("decoder", a),
      { ours: "lm_head.weight", theirs: [head], shape: [a.V, a.D] },
      { ours: "lm_head.bias", theirs: ["final_logits_bias"], shape: [a.V], stored: [1, a.V] },
    ];
  },

  ignored(config) {
    const tied = readConfig(config).flag("tie_word_embeddings", true) ? [/^lm_head\.weight$/] : [];
    return [...tied, /^model\.(en|de)coder\.embed_(positions|tokens)\.weight$/];
  },
};

function stackRows(side: "encoder" | "decoder", a: Architecture): WeightRow[] {
  const { D } = a;
  const { depth, F } = a[side] as Stack;
  return Array.from({ length: depth }, (_, l) => {
    const [at, from] = [`${side}.layers.${l}`, `model.${side}.layers.${l}`];
    const cross =
      side === "encoder"
        ? []
        : [
            ...linearRows(`${at}.cross_attn.q`, [`${from}.encoder_attn.q_proj`], D, D),
            ...linearRows(
              `${at}.cross_attn.kv`,
              ["k_proj", "v_proj"].map((part) => `${from}.encoder_attn.${part}`),
              2 * D,
              D,
            ),
            ...linearRows(`${at}.cross_attn.out`, [`${from}.encoder_attn.out_proj`], D, D),
            ...normRows(`${at}.cross_attn_norm`, `${from}.encoder_attn_layer_norm`, D),
          ];
    return [
      ...linearRows(
        `${at}.self_attn.qkv`,
        ["q_proj", "k_proj", "v_proj"].map((part) => `${from}.self_attn.${part}`),
        3 * D,
        D,
      ),
      ...linearRows(`${at}.self_attn.out`, [`${from}.self_attn.out_proj`], D, D),
      ...normRows(`${at}.self_attn_norm`, `${from}.self_attn_layer_norm`, D),
      ...cross,
      ...linearRows(`${at}.fc1`, [`${from}.fc1`], F, D),
      ...linearRows(`${at}.fc2`, [`${from}.fc2`], D, F),
      ...normRows(`${at}.final_norm`, `${from}.final_layer_norm`, D),
    ];
  }).flat();
}

/** Sines in the first half of a row, cosines in the second: MarianSinusoidalPositionalEmbedding of Transformers. */
function sinusoids(P: number, D: number): Float32Array<ArrayBuffer> {
  const half = Math.ceil(D / 2);
  return Float32Array.from({ length: P * D }, (_, index) => {
    const [position, d] = [Math.floor(index / D), index % D];
    const angle = (pair: number): number => position / 10000 ** ((2 * pair) / D);
    return d < half ? Math.sin(angle(d)) : Math.cos(angle(d - half));
  });
}
