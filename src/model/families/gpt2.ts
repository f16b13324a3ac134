import { CheckpointError } from "../../runtime/errors.js";
import type { DecoderArchitecture } from "../graph/architecture.js";
import { readConfig } from "../checkpoint/config.js";
import { DECODER_HEADS, decoderHead, headRows } from "./heads.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow } from "./family.js";

/**
 * GPT-2 (Radford et al. 2019): pre-norm decoder, learned positions, tied embeddings; its linear weights are stored [in,
 * out].
 */
export const gpt2: Family<DecoderArchitecture> = {
  model_type: "gpt2",
  prefix: "transformer",
  aliases: {
    hidden_size: "n_embd",
    max_position_embeddings: "n_positions",
    num_attention_heads: "n_head",
    num_hidden_layers: "n_layer",
  },

  architecture(config, entries) {
    const read = readConfig(config, entries);
    if (read.flag("scale_attn_by_inverse_layer_idx", false) || !read.flag("scale_attn_weights", true)) {
      throw new CheckpointError(
        "config.json: scale_attn_by_inverse_layer_idx must be false and scale_attn_weights true; others are not supported",
      );
    }
    const D = read.count("n_embd", 768);
    return {
      family: "gpt2",
      D,
      V: read.count("vocab_size", 50257),
      decoder: {
        depth: read.layers("n_layer", 12),
        F: read.count("n_inner", 4 * D),
        activation: read.activation("activation_function", "gelu_new"),
        gated: false,
        ...equalHeads(D, read.divisor("n_head", 12, "n_embd", D)),
        P: read.count("n_positions", 1024),
        embeddingScale: 1,
        lastNorm: true,
      },
      head: decoderHead(config, entries, read.flag("tie_word_embeddings", true)),
      norm: "layernorm",
      placement: "pre",
      eps: read.size("layer_norm_epsilon", 1e-5),
    };
  },

  rows({ D, V, head, decoder: { F, P, depth } }, config, entries) {
    const tied = readConfig(config).flag("tie_word_embeddings", true) && !entries.has("lm_head.weight");
    return [
      tableRow("decoder.embed_tokens", "wte", [V, D], { lookup: true }),
      tableRow("decoder.embed_positions", "wpe", [P, D], { f32: true }),
      ...layerRows("decoder.layers", "h", depth, [
        ...normRows("self_attn_norm", "ln_1", D),
        ...linearRows("self_attn.qkv", ["attn.c_attn"], 3 * D, D, { transpose: true }),
        ...linearRows("self_attn.out", ["attn.c_proj"], D, D, { transpose: true }),
        ...normRows("final_norm", "ln_2", D),
        ...linearRows("fc1", ["mlp.c_fc"], F, D, { transpose: true }),
        ...linearRows("fc2", ["mlp.c_proj"], D, F, { transpose: true }),
      ]),
      ...normRows("decoder.norm", "ln_f", D),
      ...(head
        ? headRows(head, DECODER_HEADS, [V, D], entries)
        : linearRows("lm_head", [tied ? "wte" : "lm_head"], V, D, { bias: false })),
    ];
  },

  ties: (config) => (readConfig(config).flag("tie_word_embeddings", true) ? [["wte.weight", "lm_head.weight"]] : []),

  ignored: [/\.attn\.bias$/], // a causal mask
};
