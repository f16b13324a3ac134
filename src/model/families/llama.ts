import { CheckpointError, show } from "../../runtime/errors.js";
import type { DecoderArchitecture, Rotary } from "../graph/architecture.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import { llama3Frequencies, plainFrequencies } from "../graph/positions.js";
import { DECODER_HEADS, decoderHead, headRows } from "./heads.js";
import { type Entries, type Family, layerRows, linearRows, normRows, tableRow } from "./family.js";

interface Differences {
  /** Whether q, k and v have biases whatever the config says. */
  readonly qkvBias: boolean;
  /** Which biases a flag of the config switches on. */
  readonly biasFlags: readonly ("attention_bias" | "mlp_bias")[];
  /** Norms on the heads of q and k. */
  readonly qkNorm: boolean;
  /** Whether late layers may have a sliding window. */
  readonly windows: boolean;
  /** What Transformers takes for absent fields; without K as many as query heads, without E the equal part of D. */
  readonly defaults: {
    readonly V: number;
    readonly F: number;
    readonly P: number;
    readonly K?: number;
    readonly E?: number;
  };
}

/** A pre-norm decoder with RMSNorm, rotary positions, gated SiLU and grouped heads. */
function llamaLike(model_type: string, differences: Differences): Family<DecoderArchitecture> {
  const { defaults } = differences;
  return {
    model_type,
    prefix: "model",

    architecture(config, entries) {
      const read = readConfig(config, entries);
      if (differences.windows) refuseWindows(config);
      const D = read.count("hidden_size", 4096);
      const H = read.count("num_attention_heads", 32);
      const E =
        config.head_dim || defaults.E
          ? read.count("head_dim", defaults.E)
          : D / read.divisor("num_attention_heads", 32, "hidden_size", D);
      const P = read.positions("max_position_embeddings", defaults.P);
      return {
        family: model_type,
        D,
        V: read.count("vocab_size", defaults.V),
        decoder: {
          depth: read.layers("num_hidden_layers", 32),
          F: read.count("intermediate_size", defaults.F),
          activation: read.activation("hidden_act", "silu"),
          gated: true,
          H,
          K: read.divisor(
            "num_key_value_heads",
            config.num_key_value_heads === null ? H : (defaults.K ?? H),
            "num_attention_heads",
            H,
          ),
          E,
          P,
          embeddingScale: 1,
          scale: E ** -0.5,
          lastNorm: true,
          rotary: rotaryOf(config, E, P),
        },
        head: decoderHead(config, entries, read.flag("tie_word_embeddings", false)),
        norm: "rmsnorm",
        placement: "pre",
        eps: read.size("rms_norm_eps", 1e-6),
      };
    },

    rows({ D, V, head, decoder: { F, depth, H, K, E } }, config, entries: Entries) {
      const read = readConfig(config);
      const flag = (name: "attention_bias" | "mlp_bias"): boolean =>
        differences.biasFlags.includes(name) && read.flag(name, false);
      const bias = flag("attention_bias");
      const mlpBias = { bias: flag("mlp_bias") };
      const norm = (ours: string, theirs: string) => normRows(ours, theirs, D, { bias: false });
      const tied = read.flag("tie_word_embeddings", false) && !entries.has("lm_head.weight");
      const qkNorm = {
        ours: "self_attn.qk_norm",
        theirs: ["self_attn.q_norm.weight", "self_attn.k_norm.weight"],
        shape: [2, E],
        stored: [E],
        f32: true,
      };
      return [
        tableRow("decoder.embed_tokens", "embed_tokens", [V, D], { lookup: true }),
        ...layerRows("decoder.layers", "layers", depth, [
          ...norm("self_attn_norm", "input_layernorm"),
          ...linearRows(
            "self_attn.qkv",
            ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
            (H + 2 * K) * E,
            D,
            { bias: differences.qkvBias || bias, parts: [H * E, K * E, K * E] },
          ),
          ...(differences.qkNorm ? [qkNorm] : []),
          ...linearRows("self_attn.out", ["self_attn.o_proj"], D, H * E, { bias }),
          ...norm("final_norm", "post_attention_layernorm"),
          ...linearRows("fc1", ["mlp.gate_proj", "mlp.up_proj"], 2 * F, D, { ...mlpBias, interleave: true }),
          ...linearRows("fc2", ["mlp.down_proj"], D, F, mlpBias),
        ]),
        ...norm("decoder.norm", "norm"),
        ...(head
          ? headRows(head, DECODER_HEADS, [V, D], entries)
          : linearRows("lm_head", [tied ? "embed_tokens" : "lm_head"], V, D, { bias: false })),
      ];
    },

    ties: (config) =>
      readConfig(config).flag("tie_word_embeddings", false) ? [["embed_tokens.weight", "lm_head.weight"]] : [],
  };
}

/** Throws CheckpointError when a layer has a window that is shorter than the longest sequence, as Qwen2Config has it. */
function refuseWindows(config: Json): void {
  const read = readConfig(config);
  if (!read.flag("use_sliding_window", false) || config.sliding_window === null) return;
  const layers = read.number("num_hidden_layers", 32);
  const slides = Array.isArray(config.layer_types)
    ? config.layer_types.includes("sliding_attention")
    : read.number("max_window_layers", 28) < layers;
  if (slides && read.number("sliding_window", 4096) < read.number("max_position_embeddings", 32768))
    throw new CheckpointError(
      "config.json: use_sliding_window must be false, or no layer may slide (layer_types, max_window_layers); sliding windows are not supported",
    );
}

/** Frequencies by `rope_parameters` (Transformers 5), or by `rope_theta` and `rope_scaling` (before). */
function rotaryOf(config: Json, E: number, P: number): Rotary {
  const scaling = (config.rope_parameters ?? config.rope_scaling ?? {}) as Json;
  if (typeof scaling !== "object" || Array.isArray(scaling))
    throw new CheckpointError(`config.json: rope_parameters must be an object, got ${show(scaling)}`);
  const read = readConfig({ ...config, ...scaling });
  const field = config.head_dim ? "head_dim" : "hidden_size / num_attention_heads";
  if (E % 2) throw read.refuse(field, "even for rotary positions", E);
  if (read.number("partial_rotary_factor", 1) !== 1) throw read.refuse("partial_rotary_factor", "1");
  const plain = plainFrequencies(E, read.size("rope_theta", 10000));
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default") return { frequencies: plain };
  if (type !== "linear" && type !== "llama3") throw read.refuse("rope_type", "default, linear or llama3", type);
  const factor = read.size("factor");
  if (factor < 1) throw read.refuse("factor", "at least 1");
  if (type === "linear") return { frequencies: plain.map((frequency) => frequency / factor) };
  const [low, high] = [read.size("low_freq_factor"), read.size("high_freq_factor")];
  if (low >= high) throw read.refuse("high_freq_factor", `above low_freq_factor=${low}`);
  const original = config.original_max_position_embeddings ? readConfig(config) : read;
  return {
    frequencies: llama3Frequencies(plain, factor, low, high, original.positions("original_max_position_embeddings", P)),
  };
}

/** Llama (Touvron et al. 2023). */
export const llama = llamaLike("llama", {
  qkvBias: false,
  biasFlags: ["attention_bias", "mlp_bias"],
  qkNorm: false,
  windows: false,
  defaults: { V: 32000, F: 11008, P: 2048 },
});
const qwen = { V: 151936, F: 22016, P: 32768, K: 32 };
/** Qwen2 (Yang et al. 2024): biases on q, k and v. */
export const qwen2 = llamaLike("qwen2", {
  qkvBias: true,
  biasFlags: [],
  qkNorm: false,
  windows: true,
  defaults: qwen,
});
/** Qwen3 (Yang et al. 2025): norms on the heads of q and k. */
export const qwen3 = llamaLike("qwen3", {
  qkvBias: false,
  biasFlags: ["attention_bias"],
  qkNorm: true,
  windows: true,
  defaults: { ...qwen, E: 128 },
});
