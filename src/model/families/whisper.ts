import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Convolution, Stack } from "../graph/architecture.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow, type With } from "./family.js";

/** Whisper (Radford et al. 2022, arXiv:2212.04356), also distilled and with 128 mel bands. */
export const whisper: Family<With<"encoder" | "decoder">> = {
  model_type: "whisper",
  prefix: "model",
  aliases: {
    hidden_size: "d_model",
    num_attention_heads: "encoder_attention_heads",
    num_hidden_layers: "encoder_layers",
  },

  architecture(config, entries) {
    const read = readConfig(config, entries);
    const D = read.count("d_model", 384);
    const stack = (side: string, P: number): Stack => ({
      depth: read.layers(`${side}_layers`, 4),
      F: read.count(`${side}_ffn_dim`, 1536),
      activation: read.activation("activation_function", "gelu"),
      gated: false,
      ...equalHeads(D, read.divisor(`${side}_attention_heads`, 6, "d_model", D)),
      P,
      embeddingScale: 1, // whatever `scale_embedding` says, which Transformers reads and does not use
      lastNorm: true,
    });
    const P = read.count("max_source_positions", 1500);
    const frames = 2 * P; // all of them: positions and weights know nothing of padding
    const convolution: Convolution = { taps: 3, stride: 1, pad: 1, activation: "gelu" };
    const stem = {
      input: "input_features" as const,
      C: read.count("num_mel_bins", 80),
      least: frames,
      most: frames,
      convolutions: [convolution, { ...convolution, stride: 2 }],
    };
    return {
      family: "whisper",
      D,
      V: read.count("vocab_size", 51865),
      encoder: { ...stack("encoder", P), stem },
      decoder: stack("decoder", read.count("max_target_positions", 448)),
      norm: "layernorm",
      placement: "pre",
      eps: 1e-5,
    };
  },

  rows({ D, V, encoder, decoder }, _config, entries) {
    const stack = (side: string, { P, F, depth }: Stack, crossRows: readonly WeightRow[]): WeightRow[] => [
      tableRow(`${side}.embed_positions`, `${side}.embed_positions`, [P, D], { f32: true }),
      ...layerRows(`${side}.layers`, `${side}.layers`, depth, [
        ...projections("self_attn.qkv", "self_attn", ["q", "k", "v"], D),
        ...linearRows("self_attn.out", ["self_attn.out_proj"], D, D),
        ...normRows("self_attn_norm", "self_attn_layer_norm", D),
        ...crossRows,
        ...linearRows("fc1", ["fc1"], F, D),
        ...linearRows("fc2", ["fc2"], D, F),
        ...normRows("final_norm", "final_layer_norm", D),
      ]),
      ...normRows(`${side}.norm`, `${side}.layer_norm`, D),
    ];
    const convolution = (i: number, C: number): WeightRow[] => {
      const name = `encoder.conv${i + 1}`;
      const [weight, bias] = linearRows(`encoder.stem.${i}`, [name], D, 3 * C, { precise: true });
      return [{ ...weight, stored: [D, C, 3] }, bias];
    };
    return [
      ...convolution(0, encoder.stem?.C ?? 0),
      ...convolution(1, D),
      ...stack("encoder", encoder, []),
      tableRow("decoder.embed_tokens", "decoder.embed_tokens", [V, D], { lookup: true }),
      ...stack("decoder", decoder, [
        ...projections("cross_attn.q", "encoder_attn", ["q"], D),
        ...projections("cross_attn.kv", "encoder_attn", ["k", "v"], D),
        ...linearRows("cross_attn.out", ["encoder_attn.out_proj"], D, D),
        ...normRows("cross_attn_norm", "encoder_attn_layer_norm", D),
      ]),
      ...linearRows("lm_head", [entries.has("proj_out.weight") ? "proj_out" : "decoder.embed_tokens"], V, D, {
        bias: false,
      }),
    ];
  },

  ties: (config) =>
    readConfig(config).flag("tie_word_embeddings", true) ? [["decoder.embed_tokens.weight", "proj_out.weight"]] : [],
};

/** Queries, keys and values of attention, of which keys have no bias. */
function projections(ours: string, theirs: string, parts: readonly string[], D: number): WeightRow[] {
  const names = parts.map((part) => `${theirs}.${part}_proj`);
  const [weight, bias] = linearRows(ours, names, parts.length * D, D);
  return [weight, { ...bias, theirs: names.map((name, i) => (parts[i] === "k" ? null : `${name}.bias`)) }];
}
