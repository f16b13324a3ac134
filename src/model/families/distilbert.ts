import type { Architecture, Stack } from "../graph/architecture.js";
import { readConfig } from "../checkpoint/config.js";
import { equalHeads, type Family, linearRows, normRows } from "./family.js";
import { classifierHead, headKind } from "./classifier.js";

/** DistilBERT (Sanh et al. 2019): BERT without segments and pooler, half its layers. */
export const distilbert: Family = {
  model_type: "distilbert",

  rename: (name) => name.replace(/^distilbert\./, ""),

  architecture(config): Architecture {
    const read = readConfig(config);
    const [D, H] = [read.count("dim"), read.divisor("n_heads", "dim")];
    return {
      family: "distilbert",
      D,
      V: read.count("vocab_size"),
      encoder: {
        depth: read.count("n_layers"),
        F: read.count("hidden_dim"),
        ...equalHeads(D, H),
        P: read.count("max_position_embeddings"),
        embeddingScale: 1,
        lastNorm: false,
      },
      head: classifierHead(headKind(config), config, "relu"),
      norm: "layernorm",
      placement: "post",
      eps: 1e-12,
      activation: read.activation("activation"),
      gated: false,
    };
  },

  rows({ D, V, head, encoder }) {
    const { depth, F, P } = encoder as Stack;
    const blocks = Array.from({ length: depth }, (_, l) => {
      const [at, from] = [`encoder.layers.${l}`, `transformer.layer.${l}`];
      const heads = ["q_lin", "k_lin", "v_lin"].map((part) => `${from}.attention.${part}`);
      return [
        ...linearRows(`${at}.self_attn.qkv`, heads, 3 * D, D, { precise: true }),
        ...linearRows(`${at}.self_attn.out`, [`${from}.attention.out_lin`], D, D),
        ...normRows(`${at}.self_attn_norm`, `${from}.sa_layer_norm`, D),
        ...linearRows(`${at}.fc1`, [`${from}.ffn.lin1`], F, D),
        ...linearRows(`${at}.fc2`, [`${from}.ffn.lin2`], D, F),
        ...normRows(`${at}.final_norm`, `${from}.output_layer_norm`, D),
      ];
    });
    return [
      {
        ours: "encoder.embed_tokens.weight",
        theirs: ["embeddings.word_embeddings.weight"],
        shape: [V, D],
        lookup: true,
        precise: true,
      },
      {
        ours: "encoder.embed_positions.weight",
        theirs: ["embeddings.position_embeddings.weight"], // sinusoids too are stored
        shape: [P, D],
        f32: true,
      },
      ...normRows("encoder.embed_norm", "embeddings.LayerNorm", D),
      ...blocks.flat(),
      ...(head?.pooler ? linearRows("pooler", ["pre_classifier"], D, D) : []),
      ...(head?.classifier ? linearRows("classifier", ["classifier"], head.labels.length, D) : []),
    ];
  },

  ignored: () => [/^vocab_(transform|layer_norm|projector)\./],
};
