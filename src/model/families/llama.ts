import { CheckpointError } from "../../runtime/errors.js";
import type { DecoderArchitecture, Rotary } from "../graph/architecture.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import { llama3Frequencies, plainFrequencies } from "../graph/positions.js";
import type { WeightRow } from "../checkpoint/rows.js";
import { type Family, linearRows } from "./family.js";

/** Llama (Touvron et al. 2023) and its kin: pre-norm decoder, RMSNorm, rotary positions, gated SiLU, grouped heads. */
function llamaLike(model_type: string, options: { qkvBias: boolean; qkNorm: boolean }): Family<DecoderArchitecture> {
  return {
    model_type,

    architecture(config): DecoderArchitecture {
      const read = readConfig(config);
      if (config.use_sliding_window === true)
        throw new CheckpointError("config.json: use_sliding_window must be false, sliding windows are not supported");
      const [D, H] = [read.count("hidden_size"), read.count("num_attention_heads")];
      const E = config.head_dim ? read.count("head_dim") : D / read.divisor("num_attention_heads", "hidden_size");
      const K = config.num_key_value_heads ? read.divisor("num_key_value_heads", "num_attention_heads") : H;
      return {
        family: model_type,
        D,
        V: read.count("vocab_size"),
        decoder: {
          depth: read.count("num_hidden_layers"),
          F: read.count("intermediate_size"),
          H,
          K,
          E,
          P: read.count("max_position_embeddings"),
          embeddingScale: 1,
          scale: E ** -0.5,
          lastNorm: true,
          rotary: rotaryOf(config, E),
        },
        norm: "rmsnorm",
        placement: "pre",
        eps: read.number("rms_norm_eps", 1e-6),
        activation: read.activation("hidden_act"),
        gated: true,
      };
    },

    rows(a, config) {
      const {
        D,
        V,
        decoder: { F, depth, H, K, E },
      } = a;
      const read = readConfig(config);
      const qkvBias = options.qkvBias || read.flag("attention_bias", false);
      const outBias = read.flag("attention_bias", false);
      const bias = read.flag("mlp_bias", false);
      const norm = (ours: string, theirs: string): WeightRow => ({
        ours: `${ours}.weight`,
        theirs: [`${theirs}.weight`],
        shape: [D],
      });
      const blocks = Array.from({ length: depth }, (_, l) => {
        const [at, from] = [`decoder.layers.${l}`, `model.layers.${l}`];
        const heads = ["q_proj", "k_proj", "v_proj"].map((part) => `${from}.self_attn.${part}`);
        const qkNorm = {
          ours: `${at}.self_attn.qk_norm`,
          theirs: ["q_norm", "k_norm"].map((part) => `${from}.self_attn.${part}.weight`),
          shape: [2, E],
          stored: [E],
          f32: true,
        };
        return [
          norm(`${at}.self_attn_norm`, `${from}.input_layernorm`),
          ...linearRows(`${at}.self_attn.qkv`, heads, (H + 2 * K) * E, D, {
            bias: qkvBias,
            parts: [H * E, K * E, K * E],
          }),
          ...(options.qkNorm ? [qkNorm] : []),
          ...linearRows(`${at}.self_attn.out`, [`${from}.self_attn.o_proj`], D, H * E, { bias: outBias }),
          norm(`${at}.final_norm`, `${from}.post_attention_layernorm`),
          ...linearRows(
            `${at}.fc1`,
            ["gate_proj", "up_proj"].map((part) => `${from}.mlp.${part}`),
            2 * F,
            D,
            { bias, interleave: true },
          ),
          ...linearRows(`${at}.fc2`, [`${from}.mlp.down_proj`], D, F, { bias }),
        ];
      });
      const tied = read.flag("tie_word_embeddings", false);
      return [
        { ours: "decoder.embed_tokens.weight", theirs: ["model.embed_tokens.weight"], shape: [V, D], lookup: true },
        ...blocks.flat(),
        norm("decoder.norm", "model.norm"),
        { ours: "lm_head.weight", theirs: [tied ? "model.embed_tokens.weight" : "lm_head.weight"], shape: [V, D] },
      ];
    },

    ignored: (config) => [
      /\.rotary_emb\.inv_freq$/,
      ...(readConfig(config).flag("tie_word_embeddings", false) ? [/^lm_head\.weight$/] : []),
    ],
  };
}

/** Frequencies by `rope_parameters` (Transformers 5) or `rope_theta` and `rope_scaling` (before). */
function rotaryOf(config: Json, E: number): Rotary {
  const scaling = (config.rope_parameters ?? config.rope_scaling ?? {}) as Json;
  const read = readConfig({ rope_theta: config.rope_theta ?? 10000, ...scaling });
  const plain = plainFrequencies(E, read.number("rope_theta", 10000));
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default") return { frequencies: plain };
  if (type === "linear") return { frequencies: plain.map((frequency) => frequency / read.number("factor", 1)) };
  if (type !== "llama3")
    throw new CheckpointError(`config.json: rope_type must be default, linear or llama3, got ${JSON.stringify(type)}`);
  const [factor, low, high] = [
    read.number("factor", 1),
    read.number("low_freq_factor", 1),
    read.number("high_freq_factor", 4),
  ];
  return { frequencies: llama3Frequencies(plain, factor, low, high, read.count("original_max_position_embeddings")) };
}

export const llama = llamaLike("llama", { qkvBias: false, qkNorm: false });
/** Qwen2 (Yang et al. 2024): biases on q, k and v. */
export const qwen2 = llamaLike("qwen2", { qkvBias: true, qkNorm: false });
/** Qwen3 (Yang et al. 2025): norms on the heads of q and k. */
export const qwen3 = llamaLike("qwen3", { qkvBias: false, qkNorm: true });
