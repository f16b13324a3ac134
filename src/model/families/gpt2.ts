import { CheckpointError } from "../../runtime/errors.js";
import type { DecoderArchitecture } from "../graph/architecture.js";
import { readConfig } from "../checkpoint/config.js";
import { equalHeads, type Family, linearRows, normRows } from "./family.js";

/** GPT-2 (Radford et al. 2019): pre-norm decoder, learned positions, tied embeddings; its linear weights are stored [in, out]. */
export const gpt2: Family<DecoderArchitecture> = {
  model_type: "gpt2",

  architecture(config): DecoderArchitecture {
    const read = readConfig(config);
    if (read.flag("scale_attn_by_inverse_layer_idx", false) || !read.flag("scale_attn_weights", true)) {
      throw new CheckpointError(
        "config.json: scale_attn_by_inverse_layer_idx must be false and scale_attn_weights true; others are not supported",
      );
    }
    const [D, H] = [read.count("n_embd"), read.divisor("n_head", "n_embd")];
    const F = config.n_inner ? read.count("n_inner") : 4 * D;
    return {
      family: "gpt2",
      D,
      V: read.count("vocab_size"),
      decoder: {
        depth: read.count("n_layer"),
        F,
        ...equalHeads(D, H),
        P: read.count("n_positions"),
        embeddingScale: 1,
        lastNorm: true,
      },
      norm: "layernorm",
      placement: "pre",
      eps: read.number("layer_norm_epsilon", 1e-5),
      activation: read.activation("activation_function"),
      gated: false,
    };
  },

  rows(a, config) {
    const {
      D,
      decoder: { F, P, depth },
    } = a;
    const tied = readConfig(config).flag("tie_word_embeddings", true);
    const blocks = Array.from({ length: depth }, (_, l) => {
      const [at, from] = [`decoder.layers.${l}`, `transformer.h.${l}`];
      return [
        ...normRows(`${at}.self_attn_norm`, `${from}.ln_1`, D),
        ...linearRows(`${at}.self_attn.qkv`, [`${from}.attn.c_attn`], 3 * D, D, { transpose: true }),
        ...linearRows(`${at}.self_attn.out`, [`${from}.attn.c_proj`], D, D, { transpose: true }),
        ...normRows(`${at}.final_norm`, `${from}.ln_2`, D),
        ...linearRows(`${at}.fc1`, [`${from}.mlp.c_fc`], F, D, { transpose: true }),
        ...linearRows(`${at}.fc2`, [`${from}.mlp.c_proj`], D, F, { transpose: true }),
      ];
    });
    return [
      { ours: "decoder.embed_tokens.weight", theirs: ["transformer.wte.weight"], shape: [a.V, D], lookup: true },
      { ours: "decoder.embed_positions.weight", theirs: ["transformer.wpe.weight"], shape: [P, D], f32: true },
      ...blocks.flat(),
      ...normRows("decoder.norm", "transformer.ln_f", D),
      { ours: "lm_head.weight", theirs: [tied ? "transformer.wte.weight" : "lm_head.weight"], shape: [a.V, D] },
    ];
  },

  ignored: () => [/^lm_head\.weight$/, /\.attn\.(masked_)?bias$/],
};
