import { relativeBias } from "../../kernels/attention.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Stack } from "../graph/architecture.js";
import { type Entries, type Family, layerRows, linearRows, memoryOf, normRows, tableRow, type With } from "./family.js";

interface Differences {
  readonly model_type: string;
  /** What Transformers takes for absent fields: vocabulary, feed-forward width, layers, heads and `feed_forward_proj`. */
  readonly defaults: {
    readonly V: number;
    readonly F: number;
    readonly L: number;
    readonly H: number;
    readonly proj: string;
  };
  /** Whether each layer has biases by distance of its own, and not those of the first. */
  readonly ownBiases: boolean;
  /** Whether the last states of the decoder are multiplied by D^-0.5 before the logits. */
  scaled(config: Json): boolean;
}

const UNLIMITED = 2 ** 31 - 1; // tokens, whose distances are i32: no table ends before
const OTHER_HEADS = /^(classifier|classification_head|qa_outputs)\./;

/**
 * Pre-norm without biases of linear layers; scores have no factor, but biases by distance. An encoder alone
 * (T5EncoderModel) is a model too.
 */
function t5Like({ model_type, defaults, ownBiases, scaled }: Differences): Family<With<"encoder">> {
  return {
    model_type,
    prefix: "transformer",
    aliases: {
      hidden_size: "d_model",
      num_attention_heads: "num_heads",
      num_hidden_layers: "num_layers",
      head_dim: "d_kv",
    },

    architecture(config, entries) {
      const read = readConfig(config, entries);
      const names = [...entries.keys()];
      if (names.some((name) => OTHER_HEADS.test(name)))
        throw read.refuse("architectures", "a model, an encoder or one for conditional generation");
      readDistances(config, entries);
      const H = read.count("num_heads", defaults.H);
      const encoder: Stack = {
        depth: read.layers("num_layers", defaults.L),
        F: read.count("d_ff", defaults.F),
        ...readFeedForward(config, defaults.proj),
        H,
        K: H,
        E: read.count("d_kv", 64),
        P: UNLIMITED,
        biased: true,
        embeddingScale: 1,
        scale: 1,
        lastNorm: true,
      };
      const D = read.count("d_model", 512);
      const decoder: Stack = {
        ...encoder,
        depth: read.layers("num_decoder_layers", encoder.depth),
        memory: memoryOf(entries, "decoder.block.0.layer.1.EncDecAttention.k", D),
        ...(scaled(config) && { lastFactor: D ** -0.5 }),
      };
      return {
        family: model_type,
        D,
        V: read.count("vocab_size", defaults.V),
        encoder,
        ...(names.some((name) => name.startsWith("decoder.block.")) && { decoder }),
        norm: "rmsnorm",
        placement: "pre",
        eps: read.size("layer_norm_epsilon", 1e-6),
      };
    },

    rows({ D, V, encoder, decoder }, config, entries) {
      const { H, E, F, gated } = encoder;
      const distances = readDistances(config, entries);
      const own = (name: string): string => (entries.has(`${name}.weight`) ? name : "shared");
      const norm = (ours: string, theirs: string): WeightRow[] => normRows(ours, theirs, D, { bias: false });
      const stack = (side: string, depth: number, crossRows: readonly WeightRow[]): WeightRow[] => {
        const last = `layer.${crossRows.length ? 2 : 1}`;
        const up = gated ? ["wi_0", "wi_1"] : ["wi"];
        return [
          tableRow(`${side}.embed_tokens`, own(`${side}.embed_tokens`), [V, D], { lookup: true }),
          ...biasRows(side, depth, H, { ...distances, ownBiases }),
          ...layerRows(`${side}.layers`, `${side}.block`, depth, [
            ...norm("self_attn_norm", "layer.0.layer_norm"),
            ...linear("self_attn.qkv", "layer.0.SelfAttention", ["q", "k", "v"], 3 * H * E, D),
            ...linear("self_attn.out", "layer.0.SelfAttention", ["o"], D, H * E),
            ...crossRows,
            ...norm("final_norm", `${last}.layer_norm`),
            ...linear("fc1", `${last}.DenseReluDense`, up, up.length * F, D),
            ...linear("fc2", `${last}.DenseReluDense`, ["wo"], D, F),
          ]),
        ];
      };
      const encoderRows = [...stack("encoder", encoder.depth, []), ...norm("encoder.norm", "encoder.final_layer_norm")];
      if (!decoder) return encoderRows;
      const { lastFactor = 1 } = decoder;
      const [scaling] = norm("decoder.norm", "decoder.final_layer_norm");
      return [
        ...encoderRows,
        ...stack("decoder", decoder.depth, [
          ...norm("cross_attn_norm", "layer.1.layer_norm"),
          ...linear("cross_attn.q", "layer.1.EncDecAttention", ["q"], H * E, D),
          ...linear("cross_attn.kv", "layer.1.EncDecAttention", ["k", "v"], 2 * H * E, decoder.memory ?? D),
          ...linear("cross_attn.out", "layer.1.EncDecAttention", ["o"], D, H * E),
        ]),
        { ...scaling, derive: ([gamma]) => gamma.map((value) => value * lastFactor) },
        tableRow("lm_head", own("lm_head"), [V, D], {}),
      ];
    },

    // Whatever tie_word_embeddings says: a head is another table where its values are others.
    ties: () => [["shared", "encoder.embed_tokens", "decoder.embed_tokens", "lm_head"].map((name) => `${name}.weight`)],

    ignored: [/^decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$/], // of early checkpoints
  };
}

/** The rows of a linear layer without a bias; those of its parts alternate in gated layers. */
function linear(ours: string, theirs: string, parts: readonly string[], O: number, I: number): WeightRow[] {
  const names = parts.map((part) => `${theirs}.${part}`);
  return linearRows(ours, names, O, I, { bias: false, interleave: ours === "fc1" });
}

type Biases = ReturnType<typeof readDistances> & Pick<Differences, "ownBiases">;

/** The biases f32[2*reach+1,H] of each layer by distance, from those that it, or the first layer, stores by bucket. */
function biasRows(side: string, depth: number, H: number, { buckets, reach, ownBiases }: Biases): WeightRow[] {
  const derive: WeightRow["derive"] = ([stored]) => relativeBias(stored, H, reach, side === "encoder");
  return Array.from({ length: depth }, (_, l) => ({
    ours: `${side}.layers.${l}.self_attn.relative_bias`,
    theirs: [`${side}.block.${ownBiases ? l : 0}.layer.0.SelfAttention.relative_attention_bias.weight`],
    shape: [2 * reach + 1, H],
    stored: [buckets, H],
    f32: true,
    derive,
  }));
}

/** How biases are stored, and the distance beyond which they are all the same. Throws CheckpointError. */
function readDistances(config: Json, entries: Entries): { buckets: number; reach: number } {
  const read = readConfig(config, entries);
  const buckets = read.count("relative_attention_num_buckets", 32);
  const reach = read.positions("relative_attention_max_distance", 128);
  if (buckets < 4) throw read.refuse("relative_attention_num_buckets", "at least 4");
  if (reach <= buckets / 2)
    throw read.refuse("relative_attention_max_distance", `above half of relative_attention_num_buckets=${buckets}`);
  return { buckets, reach };
}

/** The feed-forward layer by `feed_forward_proj`, such as "relu" or "gated-gelu", unless the config says more of it. */
function readFeedForward(config: Json, fallback: string): Pick<Stack, "activation" | "gated"> {
  const name = String(config.feed_forward_proj ?? fallback);
  const [, gate, activation] = /^(gated-)?([^-]*)$/.exec(name) ?? [];
  const read = readConfig(config);
  if (activation === undefined) throw read.refuse("feed_forward_proj", "an activation, or gated- and one");
  return {
    activation: read.activation("dense_act_fn", name === "gated-gelu" ? "gelu_new" : activation),
    gated: read.flag("is_gated_act", gate !== undefined),
  };
}

const untied = ({ tie_word_embeddings }: Json): boolean => tie_word_embeddings === false;
const MULTILINGUAL = { V: 250112, F: 1024, L: 8, H: 6, proj: "gated-gelu" };

/**
 * T5 (Raffel et al. 2020) and T5 1.1, which is gated and does not scale: told apart by `tie_word_embeddings`, unless
 * `scale_decoder_outputs` says it, as in T5Config of Transformers 5.
 */
export const t5 = t5Like({
  model_type: "t5",
  defaults: { V: 32128, F: 2048, L: 6, H: 8, proj: "relu" },
  ownBiases: false,
  scaled: (config) => readConfig(config).flag("scale_decoder_outputs", !untied(config)),
});
/** mT5 (Xue et al. 2021): T5 1.1, which never scales. */
export const mt5 = t5Like({ model_type: "mt5", defaults: MULTILINGUAL, ownBiases: false, scaled: () => false });
/**
 * UMT5 (Chung et al. 2023): biases by distance in each layer. It scales where `tie_word_embeddings` is not false, as
 * Transformers 4 does and as the weights were trained; Transformers 5 always does.
 */
export const umt5 = t5Like({
  model_type: "umt5",
  defaults: MULTILINGUAL,
  ownBiases: true,
  scaled: (config) => !untied(config),
});
