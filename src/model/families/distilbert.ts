import { readConfig } from "../checkpoint/config.js";
import { encoderHead, type HeadForms, headRows, maskTies } from "./heads.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow, type With } from "./family.js";

const TOKENS = "embeddings.word_embeddings";
const HEADS: HeadForms = {
  sentence: ["pre_classifier", "classifier"],
  pooler: "relu",
  masks: ["vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias"],
};

/** DistilBERT (Sanh et al. 2019): half the layers of BERT, without segments and pooler. */
export const distilbert: Family<With<"encoder">> = {
  model_type: "distilbert",
  prefix: "distilbert",
  aliases: { hidden_size: "dim", num_attention_heads: "n_heads", num_hidden_layers: "n_layers" },

  architecture(config, entries) {
    const read = readConfig(config, entries);
    const D = read.count("dim", 768);
    const activation = read.activation("activation", "gelu");
    return {
      family: "distilbert",
      D,
      V: read.count("vocab_size", 30522),
      encoder: {
        depth: read.layers("n_layers", 6),
        F: read.count("hidden_dim", 3072),
        activation,
        gated: false,
        ...equalHeads(D, read.divisor("n_heads", 12, "dim", D)),
        P: read.count("max_position_embeddings", 512),
        embeddingScale: 1,
        lastNorm: false,
      },
      head: encoderHead(config, entries, HEADS, activation),
      norm: "layernorm",
      placement: "post",
      eps: 1e-12,
    };
  },

  rows({ D, V, head, encoder: { depth, F, P } }, _, entries) {
    const heads = ["attention.q_lin", "attention.k_lin", "attention.v_lin"];
    return [
      tableRow("encoder.embed_tokens", TOKENS, [V, D], { lookup: true, precise: true }),
      tableRow("encoder.embed_positions", "embeddings.position_embeddings", [P, D], { f32: true }),
      ...normRows("encoder.embed_norm", "embeddings.LayerNorm", D),
      ...layerRows("encoder.layers", "transformer.layer", depth, [
        ...linearRows("self_attn.qkv", heads, 3 * D, D, { precise: true }),
        ...linearRows("self_attn.out", ["attention.out_lin"], D, D),
        ...normRows("self_attn_norm", "sa_layer_norm", D),
        ...linearRows("fc1", ["ffn.lin1"], F, D),
        ...linearRows("fc2", ["ffn.lin2"], D, F),
        ...normRows("final_norm", "output_layer_norm", D),
      ]),
      ...(head ? headRows(head, HEADS, [V, D], entries, TOKENS) : []),
    ];
  },

  ties: (config) => maskTies(config, HEADS, TOKENS),
};
