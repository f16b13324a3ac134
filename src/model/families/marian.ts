import type { Json } from "../checkpoint/checkpoint.js";
import type { WeightRow } from "../checkpoint/rows.js";
import { readConfig } from "../checkpoint/config.js";
import type { Stack } from "../graph/architecture.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow, type With } from "./family.js";

/** Marian (Junczys-Dowmunt et al. 2018), as in Transformers: post-norm, sinusoidal positions, tied embeddings. */
export const marian: Family<With<"encoder" | "decoder">> = {
  model_type: "marian",
  prefix: "model",
  aliases: {
    hidden_size: "d_model",
    num_attention_heads: "encoder_attention_heads",
    num_hidden_layers: "encoder_layers",
  },

  architecture(config, entries) {
    const read = readConfig(config, entries);
    const D = read.count("d_model", 1024);
    const V = read.count("vocab_size", 58101);
    if (!tying(config).shared && read.count("decoder_vocab_size", V) !== V)
      throw read.refuse("decoder_vocab_size", `vocab_size=${V}`);
    const stack = (side: string): Stack => {
      return {
        depth: read.layers(`${side}_layers`, 12),
        F: read.count(`${side}_ffn_dim`, 4096),
        activation: read.activation("activation_function", "gelu"),
        gated: false,
        ...equalHeads(D, read.divisor(`${side}_attention_heads`, 16, "d_model", D)),
        P: read.positions("max_position_embeddings", 1024),
        embeddingScale: read.flag("scale_embedding", false) ? Math.sqrt(D) : 1,
        lastNorm: false,
      };
    };
    return {
      family: "marian",
      D,
      V,
      encoder: stack("encoder"),
      decoder: stack("decoder"),
      norm: "layernorm",
      placement: "post",
      eps: 1e-5,
    };
  },

  rows({ D, V, encoder, decoder }, config, entries) {
    const { shared, tied } = tying(config);
    const tokens = (side: string): string =>
      shared && !entries.has(`${side}.embed_tokens.weight`) ? "shared" : `${side}.embed_tokens`;
    const head = tied && !entries.has("lm_head.weight") ? tokens("decoder") : "lm_head";
    const logitsBias = entries.has("final_logits_bias") ? "final_logits_bias" : null; // zeros unless stored
    const positions = (side: string, P: number): WeightRow => {
      const name = `${side}.embed_positions`;
      if (entries.has(`${name}.weight`)) return tableRow(name, name, [P, D], { f32: true });
      return { ours: `${name}.weight`, theirs: [], shape: [P, D], derive: () => sinusoids(P, D) };
    };
    const stack = (side: string, { P, F, depth }: Stack, crossRows: readonly WeightRow[]): WeightRow[] => [
      tableRow(`${side}.embed_tokens`, tokens(side), [V, D], { lookup: true }),
      positions(side, P),
      ...layerRows(`${side}.layers`, `${side}.layers`, depth, [
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
      { ours: "lm_head.bias", theirs: [logitsBias], shape: [V], stored: [1, V] },
    ];
  },

  ties(config) {
    const { shared, tied } = tying(config);
    const tables = shared ? ["shared.weight"] : [];
    const sides = ["decoder.embed_tokens.weight", ...(shared ? ["encoder.embed_tokens.weight"] : [])];
    return tied ? [[...tables, ...sides, "lm_head.weight"]] : [];
  },
};

/** Which token tables are the same one, and whether it is that of the logits too. */
function tying(config: Json): { shared: boolean; tied: boolean } {
  const { flag } = readConfig(config);
  return { shared: flag("share_encoder_decoder_embeddings", true), tied: flag("tie_word_embeddings", true) };
}

/**
 * Sines in the first half of each row, cosines in the second. Source: MarianSinusoidalPositionalEmbedding of
 * Transformers.
 */
function sinusoids(P: number, D: number): Float32Array<ArrayBuffer> {
  const half = Math.ceil(D / 2);
  const waves = Array.from({ length: half }, (_, pair) => 10000 ** ((2 * pair) / D));
  const table = new Float32Array(P * D);
  for (let position = 0; position < P; position++) {
    for (let d = 0; d < D; d++)
      table[position * D + d] = d < half ? Math.sin(position / waves[d]) : Math.cos(position / waves[d - half]);
  }
  return table;
}
