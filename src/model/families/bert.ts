import type { Activation } from "../../kernels/activation.js";
import { CheckpointError } from "../../runtime/errors.js";
import { readConfig } from "../checkpoint/config.js";
import { encoderHead, type HeadForms, headRows, maskTies } from "./heads.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow, type With } from "./family.js";

interface Differences {
  readonly model_type: string;
  /** What Transformers takes for an absent vocab_size. */
  readonly V: number;
  /** Whether position 0 is the row after the padding token id in the position table, not row 0. */
  readonly shifted: boolean;
  readonly heads: HeadForms;
  /** Activation of the dense layer before the logits of masks; undefined: as in the layers. */
  readonly masks?: Activation;
}

const TOKENS = "embeddings.word_embeddings";

/** A post-norm encoder with learned positions and segments. */
function bertLike({ model_type, V: vocabulary, shifted, heads: forms, masks }: Differences): Family<With<"encoder">> {
  return {
    model_type,
    prefix: model_type,

    // Early checkpoints name norm weights gamma and beta.
    rename: (name) =>
      name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias"),

    architecture(config, entries) {
      const read = readConfig(config, entries);
      if ((config.position_embedding_type ?? "absolute") !== "absolute" || config.is_decoder === true)
        throw new CheckpointError(
          "config.json: position_embedding_type must be absolute and is_decoder false; others are not supported",
        );
      const D = read.count("hidden_size", 768);
      const positionShift = shifted ? read.size("pad_token_id", 1) + 1 : 0;
      const P = read.count("max_position_embeddings", 512) - positionShift;
      if (!Number.isInteger(P) || P < 1)
        throw read.refuse("pad_token_id", "a whole number below max_position_embeddings - 1");
      const activation = read.activation("hidden_act", "gelu");
      return {
        family: model_type,
        D,
        V: read.count("vocab_size", vocabulary),
        encoder: {
          depth: read.layers("num_hidden_layers", 12),
          F: read.count("intermediate_size", 3072),
          activation,
          gated: false,
          ...equalHeads(D, read.divisor("num_attention_heads", 12, "hidden_size", D)),
          P,
          positionShift,
          segments: read.count("type_vocab_size", 2),
          embeddingScale: 1,
          lastNorm: false,
        },
        head: encoderHead(config, entries, forms, masks ?? activation),
        norm: "layernorm",
        placement: "post",
        eps: read.size("layer_norm_eps", 1e-12),
      };
    },

    rows({ D, V, head, encoder: { depth, F, P, positionShift = 0, segments = 0 } }, _, entries) {
      const heads = ["query", "key", "value"].map((part) => `attention.self.${part}`);
      return [
        tableRow("encoder.embed_tokens", TOKENS, [V, D], { lookup: true, precise: true }),
        tableRow("encoder.embed_positions", "embeddings.position_embeddings", [P + positionShift, D], { f32: true }),
        tableRow("encoder.embed_segments", "embeddings.token_type_embeddings", [segments, D], { f32: true }),
        ...normRows("encoder.embed_norm", "embeddings.LayerNorm", D),
        ...layerRows("encoder.layers", "encoder.layer", depth, [
          ...linearRows("self_attn.qkv", heads, 3 * D, D, { precise: true }),
          ...linearRows("self_attn.out", ["attention.output.dense"], D, D),
          ...normRows("self_attn_norm", "attention.output.LayerNorm", D),
          ...linearRows("fc1", ["intermediate.dense"], F, D),
          ...linearRows("fc2", ["output.dense"], D, F),
          ...normRows("final_norm", "output.LayerNorm", D),
        ]),
        ...(head ? headRows(head, forms, [V, D], entries, TOKENS) : []),
      ];
    },

    ties: (config) => maskTies(config, forms, TOKENS),

    ignored: [/^cls\.seq_relationship\./], // for training
  };
}

/** BERT (Devlin et al. 2019). */
export const bert = bertLike({
  model_type: "bert",
  V: 30522,
  shifted: false,
  heads: {
    sentence: ["pooler.dense", "classifier"],
    pooler: "tanh",
    masks: [
      "cls.predictions.transform.dense",
      "cls.predictions.transform.LayerNorm",
      "cls.predictions.decoder",
      "cls.predictions.bias",
    ],
  },
});
/** RoBERTa (Liu et al. 2019): its positions begin after the padding token id. */
export const roberta = bertLike({
  model_type: "roberta",
  V: 50265,
  shifted: true,
  heads: {
    sentence: ["classifier.dense", "classifier.out_proj"],
    pooler: "tanh",
    masks: ["lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"],
  },
  masks: "gelu",
});
