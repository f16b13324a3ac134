import type { Activation } from "../../kernels/activation.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Stack } from "../graph/architecture.js";
import { equalHeads, type Family, layerRows, linearRows, memoryOf, normRows, tableRow, type With } from "./family.js";
import { classifierHead, classOf, type HeadForms, headRows } from "./heads.js";
import { paddingId, type Positions } from "./positions.js";

/** What differs between the encoder-decoders whose layers are BART's. */
interface Differences {
  readonly model_type: string;
  /** Where the norms of a block are; with "pre", a norm follows the last layer. */
  readonly placement: "pre" | "post";
  /** Whether a norm follows the embeddings. */
  readonly embedNorm: boolean;
  readonly positions: Positions;
  /** Whether the token that pads has no position and is not counted, whatever a mask says. */
  readonly padUnplaced?: boolean;
  /** Whether a classifier of sentences may take the place of the logits. */
  readonly classifies?: boolean;
  /** Whether logits have a bias, which may be stored. */
  readonly logitsBias: boolean;
  /** Whether config.json may give the decoder a token table and a vocabulary of its own. */
  readonly mayPart?: boolean;
  /** What Transformers takes for absent fields. */
  readonly defaults: { readonly V: number; readonly activation: Activation; readonly scaled: boolean };
}

/** An encoder-decoder (Vaswani et al. 2017) under the names of BART in Transformers. */
export function bartLike(differences: Differences): Family<With<"encoder" | "decoder">> {
  const { model_type, placement, embedNorm, positions, mayPart = false, defaults } = differences;
  const lastNorm = placement === "pre";
  const tied = (config: Json): boolean => readConfig(config).flag("tie_word_embeddings", true);
  const parted = (config: Json): boolean =>
    mayPart && !readConfig(config).flag("share_encoder_decoder_embeddings", true);
  return {
    model_type,
    prefix: "model",
    aliases: {
      hidden_size: "d_model",
      num_attention_heads: "encoder_attention_heads",
      num_hidden_layers: "encoder_layers",
    },

    architecture(config, entries) {
      const read = readConfig(config, entries);
      const name = classOf(config) ?? "";
      const classifies = differences.classifies && name.endsWith(CLASSIFIER);
      if (OTHER_TASKS.test(name) && !classifies)
        throw read.refuse("architectures", "that of an encoder-decoder that generates");
      const D = read.count("d_model", 1024);
      const V = read.count("vocab_size", defaults.V);
      const stack = (side: string): Stack => ({
        depth: read.layers(`${side}_layers`, 12),
        F: read.count(`${side}_ffn_dim`, 4096),
        activation: read.activation("activation_function", defaults.activation),
        gated: false,
        ...equalHeads(D, read.divisor(`${side}_attention_heads`, 16, "d_model", D)),
        P: read.positions("max_position_embeddings", 1024),
        ...(differences.padUnplaced && { unplaced: paddingId(config) }),
        embeddingScale: read.flag("scale_embedding", defaults.scaled) ? Math.sqrt(D) : 1,
        lastNorm,
      });
      return {
        family: model_type,
        D,
        V: parted(config) ? read.count("decoder_vocab_size", V) : V,
        encoder: { ...stack("encoder"), ...(parted(config) && { V }) },
        decoder: { ...stack("decoder"), memory: memoryOf(entries, "decoder.layers.0.encoder_attn.k_proj", D) },
        ...(classifies && {
          head: {
            ...classifierHead(config, entries, HEADS, "sentence"),
            start: read.size("decoder_start_token_id", 2),
          },
        }),
        norm: "layernorm",
        placement,
        eps: 1e-5,
      };
    },

    rows({ D, V, head, encoder, decoder }, config, entries) {
      const tokens = (side: string): string =>
        parted(config) || entries.has(`${side}.embed_tokens.weight`) ? `${side}.embed_tokens` : "shared";
      const logits = tied(config) && !entries.has("lm_head.weight") ? tokens("decoder") : "lm_head";
      const stack = (side: string, { V: own = V, P, F, depth }: Stack, cross: readonly WeightRow[]): WeightRow[] => [
        tableRow(`${side}.embed_tokens`, tokens(side), [own, D], { lookup: true }),
        positions(`${side}.embed_positions`, [P, D], config, entries),
        ...(embedNorm ? normRows(`${side}.embed_norm`, `${side}.layernorm_embedding`, D) : []),
        ...layerRows(`${side}.layers`, `${side}.layers`, depth, [
          ...linearRows("self_attn.qkv", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], 3 * D, D),
          ...linearRows("self_attn.out", ["self_attn.out_proj"], D, D),
          ...normRows("self_attn_norm", "self_attn_layer_norm", D),
          ...cross,
          ...linearRows("fc1", ["fc1"], F, D),
          ...linearRows("fc2", ["fc2"], D, F),
          ...normRows("final_norm", "final_layer_norm", D),
        ]),
        ...(lastNorm ? normRows(`${side}.norm`, `${side}.layer_norm`, D) : []),
      ];
      const bias = entries.has("final_logits_bias") ? "final_logits_bias" : null; // zeros unless stored
      return [
        ...stack("encoder", encoder, []),
        ...stack("decoder", decoder, [
          ...linearRows("cross_attn.q", ["encoder_attn.q_proj"], D, D),
          ...linearRows("cross_attn.kv", ["encoder_attn.k_proj", "encoder_attn.v_proj"], 2 * D, decoder.memory ?? D),
          ...linearRows("cross_attn.out", ["encoder_attn.out_proj"], D, D),
          ...normRows("cross_attn_norm", "encoder_attn_layer_norm", D),
        ]),
        ...(head
          ? headRows(head, HEADS, [V, D], entries)
          : [
              ...linearRows("lm_head", [logits], V, D, { bias: false }),
              ...(differences.logitsBias ? [{ ours: "lm_head.bias", theirs: [bias], shape: [V], stored: [1, V] }] : []),
            ]),
      ];
    },

    ties(config) {
      const tables = parted(config)
        ? ["decoder.embed_tokens.weight"]
        : ["shared.weight", "decoder.embed_tokens.weight", "encoder.embed_tokens.weight"];
      return tied(config) ? [[...tables, "lm_head.weight"]] : [];
    },

    ignored: [/^(encoder|decoder)\.(version|embed_positions\.weights?)$/], // of fairseq, where all is computed
  };
}

/** Classes of Transformers whose checkpoints have no head for tokens, or no encoder. */
const OTHER_TASKS = /For(SequenceClassification|QuestionAnswering|CausalLM)$/;

const CLASSIFIER = "ForSequenceClassification";
const HEADS: HeadForms = {
  sentence: ["classification_head.dense", "classification_head.out_proj"],
  pooler: "tanh",
  last: true,
};
