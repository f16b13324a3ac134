import { CheckpointError } from "../../runtime/errors.js";
import type { DecoderArchitecture, Rotary } from "../graph/architecture.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import { llama3Frequencies, plainFrequencies } from "../graph/positions.js";
import { type Family, layerRows, linearRows, normRows, tableRow } from "./family.js";

/** A pre-norm decoder with RMSNorm, rotary positions, gated SiLU and grouped heads. */
function llamaLike(model_type: string, options: { qkvBias: boolean; qkNorm: boolean }): Family<DecoderArchitecture> {
  return {
    model_type,

    architecture(config) {
      const read = readConfig(config);
      if (config.use_sliding_window === true)
        throw new CheckpointError("config.json: use_sliding_window must be false, sliding windows are not supported");
      const [D, H] = [read.count("hidden_size"), read.count("num_attention_heads")];
      const E = config.head_dim ? read.count("head_dim") : D / read.divisor("num_attention_heads", "hidden_size");
      if (E % 2) {
        const field = config.head_dim ? "head_dim" : "hidden_size / num_attention_heads";
        throw new CheckpointError(`config.json: ${field} must be even for rotary positions, got ${E}`);
      }
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

    rows({ D, V, decoder: { F, depth, H, K, E } }, config) {
      const read = readConfig(config);
      const bias = read.flag("attention_bias", false);
      const mlpBias = { bias: read.flag("mlp_bias", false) };
      const norm = (ours: string, theirs: string) => normRows(ours, theirs, D, { bias: false });
      const head = read.flag("tie_word_embeddings", false) ? "model.embed_tokens" : "lm_head";
      const qkNorm = {
        ours: "self_attn.qk_norm",
        theirs: ["self_attn.q_norm.weight", "self_attn.k_norm.weight"],
        shape: [2, E],
        stored: [E],
        f32: true,
      };
      return [
        tableRow("decoder.embed_tokens", "model.embed_tokens", [V, D], { lookup: true }),
        ...layerRows("decoder.layers", "model.layers", depth, [
          ...norm("self_attn_norm", "input_layernorm"),
          ...linearRows(
            "self_attn.qkv",
            ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
            (H + 2 * K) * E,
            D,
            { bias: options.qkvBias || bias, parts: [H * E, K * E, K * E] },
          ),
          ...(options.qkNorm ? [qkNorm] : []),
          ...linearRows("self_attn.out", ["self_attn.o_proj"], D, H * E, { bias }),
          ...norm("final_norm", "post_attention_layernorm"),
          ...linearRows("fc1", ["mlp.gate_proj", "mlp.up_proj"], 2 * F, D, { ...mlpBias, interleave: true }),
          ...linearRows("fc2", ["mlp.down_proj"], D, F, mlpBias),
        ]),
        ...norm("decoder.norm", "model.norm"),
        ...linearRows("lm_head", [head], V, D, { bias: false }),
      ];
    },

    ignored: (config) => [
      /\.rotary_emb\.inv_freq$/,
      ...(readConfig(config).flag("tie_word_embeddings", false) ? [/^lm_head\.weight$/] : []),
    ],
  };
}

/** Frequencies by `rope_parameters` (Transformers 5), or by `rope_theta` and `rope_scaling` (before). */
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

/** Llama (Touvron et al. 2023). */
export const llama = llamaLike("llama", { qkvBias: false, qkNorm: false });
/** Qwen2 (Yang et al. 2024): biases on q, k and v. */
export const qwen2 = llamaLike("qwen2", { qkvBias: true, qkNorm: false });
/** Qwen3 (Yang et al. 2025): norms on the heads of q and k. */
export const qwen3 = llamaLike("qwen3", { qkvBias: false, qkNorm: true });
