import { CheckpointError } from "../../runtime/errors.js";
import type { Architecture, Stack } from "../graph/architecture.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import { equalHeads, type Family, linearRows, normRows } from "./family.js";
import { classifierHead, headKind } from "./classifier.js";

interface Differences {
  readonly model_type: string;
  /** Positions start after the padding token's. */
  readonly shifted: boolean;
  /** Tensors of the dense layer and of the projection to labels over a sentence. */
  readonly sentence: readonly [dense: string, labels: string];
}

/** BERT (Devlin et al. 2019) and RoBERTa (Liu et al. 2019): post-norm encoder, learned positions and segments. */
function bertLike({ model_type, shifted, sentence }: Differences): Family {
  return {
    model_type,

    // Classes with a head save the encoder under its model type; the first checkpoints call a norm's weights gamma and beta.
    rename: (name) =>
      name
        .replace(new RegExp(`^${model_type}\\.`), "")
        .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
        .replace(/LayerNorm\.beta$/, "LayerNorm.bias"),

    architecture(config, names): Architecture {
      const read = readConfig(config);
      if ((config.position_embedding_type ?? "absolute") !== "absolute" || config.is_decoder === true)
        throw new CheckpointError(
          "config.json: position_embedding_type must be absolute and is_decoder false; others are not supported",
        );
      const [D, H] = [read.count("hidden_size"), read.divisor("num_attention_heads", "hidden_size")];
      const kind = headKind(config);
      const positionShift = shifted ? read.number("pad_token_id", 1) + 1 : 0;
      const pooler = names.has("pooler.dense.weight") ? { pooler: "tanh" as const, labels: [] } : undefined;
      return {
        family: model_type,
        D,
        V: read.count("vocab_size"),
        encoder: {
          depth: read.count("num_hidden_layers"),
          F: read.count("intermediate_size"),
          ...equalHeads(D, H),
          P: read.count("max_position_embeddings") - positionShift,
          positionShift,
          segments: read.count("type_vocab_size"),
          embeddingScale: 1,
          lastNorm: false,
        },
        head: kind === "none" ? pooler : classifierHead(kind, config, "tanh"),
        norm: "layernorm",
        placement: "post",
        eps: read.number("layer_norm_eps", 1e-12),
        activation: read.activation("hidden_act"),
        gated: false,
      };
    },

    rows(a) {
      const { D, V, head } = a;
      const { depth, F, P, positionShift = 0, segments = 0 } = a.encoder as Stack;
      const blocks = Array.from({ length: depth }, (_, l) => {
        const [at, from] = [`encoder.layers.${l}`, `encoder.layer.${l}`];
        const heads = ["query", "key", "value"].map((part) => `${from}.attention.self.${part}`);
        return [
          ...linearRows(`${at}.self_attn.qkv`, heads, 3 * D, D, { precise: true }),
          ...linearRows(`${at}.self_attn.out`, [`${from}.attention.output.dense`], D, D),
          ...normRows(`${at}.self_attn_norm`, `${from}.attention.output.LayerNorm`, D),
          ...linearRows(`${at}.fc1`, [`${from}.intermediate.dense`], F, D),
          ...linearRows(`${at}.fc2`, [`${from}.output.dense`], D, F),
          ...normRows(`${at}.final_norm`, `${from}.output.LayerNorm`, D),
        ];
      });
      const table = (ours: string, theirs: string, rows: number): WeightRow => ({
        ours: `encoder.${ours}.weight`,
        theirs: [`embeddings.${theirs}.weight`],
        shape: [rows, D],
        ...(ours === "embed_tokens" ? { lookup: true, precise: true } : { f32: true }),
      });
      const [dense, labels] = head?.classifier === "sentence" ? sentence : ["pooler.dense", "classifier"];
      return [
        table("embed_tokens", "word_embeddings", V),
        table("embed_positions", "position_embeddings", P + positionShift),
        table("embed_segments", "token_type_embeddings", segments),
        ...normRows("encoder.embed_norm", "embeddings.LayerNorm", D),
        ...blocks.flat(),
        ...(head?.pooler ? linearRows("pooler", [dense], D, D) : []),
        ...(head?.classifier ? linearRows("classifier", [labels], head.labels.length, D) : []),
      ];
    },

    // Heads of training, and the pooler under a classifier of tokens.
    ignored: () => [/^embeddings\.position_ids$/, /^cls\./, /^lm_head\./, /^pooler\./],
  };
}

export const bert = bertLike({ model_type: "bert", shifted: false, sentence: ["pooler.dense", "classifier"] });
export const roberta = bertLike({
  model_type: "roberta",
  shifted: true,
  sentence: ["classifier.dense", "classifier.out_proj"],
});
