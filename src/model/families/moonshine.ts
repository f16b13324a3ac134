import type { Json } from "../checkpoint/checkpoint.js";
import { readConfig } from "../checkpoint/config.js";
import type { WeightRow } from "../checkpoint/rows.js";
import type { Convolution, Rotary, Stack } from "../graph/architecture.js";
import { ENCODER_ROTARY, rotaryTable } from "../graph/positions.js";
import { leastFrames } from "../graph/stem.js";
import { equalHeads, type Family, layerRows, linearRows, normRows, tableRow, type With } from "./family.js";

const LONGEST = 4096; // rows of the encoder: 98 seconds

/** From samples to rows: 384 samples a row. */
const CONVOLUTIONS: readonly Convolution[] = [
  { taps: 127, stride: 64, pad: 0, activation: "tanh", groupNorm: true },
  { taps: 7, stride: 3, pad: 0, activation: "gelu" },
  { taps: 3, stride: 2, pad: 0, activation: "gelu" },
];

/**
 * Moonshine (Jeffries et al. 2024, arXiv:2410.15608): a waveform in, rotary positions in both stacks. A recording in a
 * batch gives what it gives alone; in Transformers the padding of a batch also counts in the group norm.
 */
export const moonshine: Family<With<"encoder" | "decoder">> = {
  model_type: "moonshine",
  prefix: "model",
  aliases: {
    num_attention_heads: "decoder_num_attention_heads",
    num_key_value_heads: "decoder_num_key_value_heads",
    num_hidden_layers: "decoder_num_hidden_layers",
    hidden_act: "decoder_hidden_act",
  },

  architecture(config, entries) {
    const read = readConfig(config, entries);
    const D = read.count("hidden_size", 288);
    const H = read.divisor("encoder_num_attention_heads", 8, "hidden_size", D);
    for (const [field, fallback] of [
      ["decoder_num_attention_heads", 8],
      ["encoder_num_key_value_heads", H],
      ["decoder_num_key_value_heads", H],
    ] as const)
      if (read.number(field, fallback) !== H) throw read.refuse(field, `encoder_num_attention_heads=${H}`);
    const stack = (side: string, activation: string): Omit<Stack, "gated" | "P"> => ({
      depth: read.layers(`${side}_num_hidden_layers`, 6),
      F: read.count("intermediate_size", 1152),
      activation: read.activation(`${side}_hidden_act`, activation),
      ...equalHeads(D, H),
      embeddingScale: 1,
      lastNorm: true,
      rotary: rotaryOf(config, D / H),
    });
    const [least, most] = [1, LONGEST].map((rows) => leastFrames(CONVOLUTIONS, rows));
    return {
      family: "moonshine",
      D,
      V: read.count("vocab_size", 32768),
      encoder: {
        ...stack("encoder", "gelu"),
        gated: false,
        P: LONGEST,
        stem: { input: "input_values", C: 1, least, most, convolutions: CONVOLUTIONS },
      },
      decoder: {
        ...stack("decoder", "silu"),
        gated: true,
        P: read.positions("max_position_embeddings", 512),
      },
      norm: "layernorm",
      placement: "pre",
      eps: 1e-5,
    };
  },

  rows({ D, V, encoder, decoder }, config, entries) {
    const { E, P, rotary } = encoder;
    const bias = readConfig(config).flag("attention_bias", false);
    const pairs = pairUp(decoder.F);
    const norm = (ours: string, theirs: string): WeightRow[] => normRows(ours, theirs, D, { bias: false });
    const projections = (ours: string, theirs: string, parts: readonly string[]): WeightRow[] =>
      linearRows(
        ours,
        parts.map((part) => `${theirs}.${part}_proj`),
        parts.length * D,
        D,
        { bias },
      );
    const attention = (ours: string, theirs: string): WeightRow[] => [
      ...(ours === "self_attn"
        ? projections("self_attn.qkv", theirs, ["q", "k", "v"])
        : [...projections(`${ours}.q`, theirs, ["q"]), ...projections(`${ours}.kv`, theirs, ["k", "v"])]),
      ...linearRows(`${ours}.out`, [`${theirs}.o_proj`], D, D, { bias: false }),
    ];
    const convolution = (i: number, C: number, O: number): WeightRow[] => {
      const { taps } = CONVOLUTIONS[i];
      const [weight, ...rest] = linearRows(`encoder.stem.${i}`, [`encoder.conv${i + 1}`], O, C * taps, {
        bias: i > 0,
        precise: true,
      });
      return [{ ...weight, stored: [O, C, taps] }, ...rest];
    };
    return [
      ...convolution(0, 1, D),
      ...normRows("encoder.stem.0.norm", "encoder.groupnorm", D),
      ...convolution(1, D, 2 * D),
      ...convolution(2, 2 * D, D),
      { ours: ENCODER_ROTARY, theirs: [], shape: [P, E], f32: true, derive: () => rotaryTable(rotary as Rotary, P, E) },
      ...layerRows("encoder.layers", "encoder.layers", encoder.depth, [
        ...norm("self_attn_norm", "input_layernorm"),
        ...attention("self_attn", "self_attn"),
        ...norm("final_norm", "post_attention_layernorm"),
        ...linearRows("fc1", ["mlp.fc1"], encoder.F, D),
        ...linearRows("fc2", ["mlp.fc2"], D, encoder.F),
      ]),
      ...norm("encoder.norm", "encoder.layer_norm"),
      tableRow("decoder.embed_tokens", "decoder.embed_tokens", [V, D], { lookup: true }),
      ...layerRows("decoder.layers", "decoder.layers", decoder.depth, [
        ...norm("self_attn_norm", "input_layernorm"),
        ...attention("self_attn", "self_attn"),
        ...norm("cross_attn_norm", "post_attention_layernorm"),
        ...attention("cross_attn", "encoder_attn"),
        ...norm("final_norm", "final_layernorm"),
        ...linearRows("fc1", ["mlp.fc1"], 2 * decoder.F, D).map((row) => ({ ...row, derive: pairs })),
        ...linearRows("fc2", ["mlp.fc2"], D, decoder.F),
      ]),
      ...norm("decoder.norm", "decoder.norm"),
      ...linearRows("lm_head", [entries.has("proj_out.weight") ? "proj_out" : "decoder.embed_tokens"], V, D, {
        bias: false,
      }),
    ];
  },

  ties: (config) =>
    readConfig(config).flag("tie_word_embeddings", true) ? [["decoder.embed_tokens.weight", "proj_out.weight"]] : [],
};

/** Pairs of a gate's row and a value's, of a matrix or vector that has F values and then F gates. */
function pairUp(F: number): (stored: readonly Float32Array[]) => Float32Array<ArrayBuffer> {
  return ([stored]) => {
    const width = stored.length / (2 * F);
    const pairs = new Float32Array(stored.length);
    for (let f = 0; f < F; f++) {
      pairs.set(stored.subarray((F + f) * width, (F + f + 1) * width), 2 * f * width);
      pairs.set(stored.subarray(f * width, (f + 1) * width), (2 * f + 1) * width);
    }
    return pairs;
  };
}

/** Pairs of neighbours; only the first numbers of a head are rotated. */
function rotaryOf(config: Json, E: number): Rotary {
  const given = (config.rope_parameters ?? config.rope_scaling ?? {}) as Json;
  const read = readConfig({ ...config, ...given });
  if ((given.rope_type ?? "default") !== "default") throw read.refuse("rope_type", "default", given.rope_type);
  if (E % 2) throw read.refuse("hidden_size / encoder_num_attention_heads", "even for rotary positions", E);
  const rotated = Math.floor(E * read.size("partial_rotary_factor", 0.9));
  if (rotated > E) throw read.refuse("partial_rotary_factor", "at most 1");
  const theta = read.size("rope_theta", 10000);
  const frequencies = Array.from({ length: Math.ceil(rotated / 2) }, (_, i) => theta ** ((-2 * i) / rotated));
  return { frequencies, interleaved: true };
}
