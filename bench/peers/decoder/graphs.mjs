// Decoders with their past as inputs and outputs, in the operators that exporters of these models use.
import { readFileSync } from "node:fs";
import { createGraph, FLOAT, INT64 } from "../onnx.mjs";

const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
});

/** The checkpoint's configuration, and its weights (f16 or f32) as f32 by name; `transposed` turns [O,I] into [I,O]. */
export function open(folder) {
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const file = readFileSync(`${folder}/model.safetensors`);
  const base = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, base).toString());
  const read = (name) => {
    const {
      dtype,
      shape,
      data_offsets: [start, end],
    } = header[name];
    const bytes = file.buffer.slice(file.byteOffset + base + start, file.byteOffset + base + end);
    if (dtype === "F32") return { shape, data: new Float32Array(bytes) };
    if (dtype !== "F16") throw new Error(`${name}: must be F16 or F32, got ${dtype}`);
    return { shape, data: Float32Array.from(new Uint16Array(bytes), (bits) => HALVES[bits]) };
  };
  const transposed = (name) => {
    const {
      shape: [O, I],
      data,
    } = read(name);
    return { shape: [I, O], data: data.map((_, at) => data[(at % O) * I + Math.floor(at / O)]) };
  };
  return { config, read, transposed };
}

/** What both models are made of. */
export function layers(g, { read, transposed }, { D, H, eps }) {
  const E = D / H;
  const weight = (name) => {
    const { shape, data } = read(name);
    return g.weight(name, shape, data);
  };
  const linear = (x, name, { stored = "[O,I]" } = {}) => {
    const { shape, data } = stored === "[O,I]" ? transposed(`${name}.weight`) : read(`${name}.weight`);
    const product = g.op("MatMul", [x, g.weight(`${name}.matrix`, shape, data)]);
    return g.op("Add", [product, weight(`${name}.bias`)]);
  };
  const split = (x) => g.op("Transpose", [g.op("Reshape", [x, g.ints(0, 0, H, E)])], { perm: [0, 2, 1, 3] });
  const attend = (q, keys, values, bias) => {
    const scaled = g.op("Mul", [q, g.scalar(E ** -0.5)]);
    const scores = g.op("MatMul", [scaled, g.op("Transpose", [keys], { perm: [0, 1, 3, 2] })]);
    const weights = g.op("Softmax", [bias ? g.op("Add", [scores, bias]) : scores], { axis: -1 });
    const joined = g.op("Transpose", [g.op("MatMul", [weights, values])], { perm: [0, 2, 1, 3] });
    return g.op("Reshape", [joined, g.ints(0, 0, D)]);
  };
  const norm = (x, name) =>
    g.op("LayerNormalization", [x, weight(`${name}.weight`), weight(`${name}.bias`)], { axis: -1, epsilon: eps });
  /** The past as an input and the past with `x` behind it as an output. */
  const cached = (x, past, present) => {
    const kept = g.op("Concat", [g.input(past, FLOAT, ["R", H, "S", E]), x], { axis: 2 }, present);
    g.output(kept, FLOAT, ["R", H, "S + T", E]);
    return kept;
  };
  return { E, weight, linear, split, attend, norm, cached };
}

/** Sines in the first half of a row, cosines in the second. */
export function sinusoids(P, D) {
  return Float32Array.from({ length: P * D }, (_, at) => {
    const [position, d] = [Math.floor(at / D), at % D];
    const angle = (pair) => position / 10000 ** ((2 * pair) / D);
    return d < D / 2 ? Math.sin(angle(d)) : Math.cos(angle(d - D / 2));
  });
}

export const marianShape = ({ d_model: D, decoder_attention_heads: H }) => ({ D, H, eps: 1e-5 });

/** Marian's keys and values of the source: computed once, then given to every step. */
export function marianCross(folder) {
  const checkpoint = open(folder);
  const g = createGraph(17);
  const shape = marianShape(checkpoint.config);
  const { E, linear, split } = layers(g, checkpoint, shape);
  const states = g.input("encoder_hidden_states", FLOAT, ["R", "N", shape.D]);
  for (let l = 0; l < checkpoint.config.decoder_layers; l++) {
    for (const [part, projection] of [
      ["key", "k_proj"],
      ["value", "v_proj"],
    ]) {
      const x = split(linear(states, `model.decoder.layers.${l}.encoder_attn.${projection}`));
      const name = g.op("Identity", [x], {}, `present.${l}.encoder.${part}`);
      g.output(name, FLOAT, ["R", shape.H, "N", E]);
    }
  }
  return g.bytes();
}

/**
 * A step of Marian's decoder. The mask of the source comes as what is added to scores: 0, or a large negative number.
 * `fused`: attention by onnxruntime's own operator, which also appends to the past.
 */
export function marianDecoder(folder, { fused = false } = {}) {
  const checkpoint = open(folder);
  const { decoder_layers: L, vocab_size: V, max_position_embeddings: P, scale_embedding } = checkpoint.config;
  const g = createGraph(17);
  const shape = marianShape(checkpoint.config);
  const { D, H } = shape;
  const { E, weight, linear, split, attend, norm, cached } = layers(g, checkpoint, shape);
  const fusedSelf = (own, pasts, presents) => {
    for (const past of pasts) g.input(past, FLOAT, ["R", H, "S", E]);
    const args = [own("q"), own("k"), own("v"), "", "", "", ...pasts];
    const [mixed] = g.op("MultiHeadAttention", args, { num_heads: H }, [`mixed.${presents[0]}`, ...presents]);
    for (const present of presents) g.output(present, FLOAT, ["R", H, "S + 1", E]);
    return mixed;
  };
  const ids = g.input("input_ids", INT64, ["R", 1]);
  const position = g.input("position_ids", INT64, [1]);
  const bias = g.input("encoder_attention_bias", FLOAT, ["R", 1, 1, "N"]);
  const tokens = g.op("Gather", [weight("model.shared.weight"), ids]);
  const scaled = scale_embedding ? g.op("Mul", [tokens, g.scalar(Math.sqrt(D))]) : tokens;
  let x = g.op("Add", [scaled, g.op("Gather", [g.weight("positions", [P, D], sinusoids(P, D)), position])]);
  for (let l = 0; l < L; l++) {
    const at = `model.decoder.layers.${l}`;
    const own = (part) => linear(x, `${at}.self_attn.${part}_proj`);
    const names = (time) => ["key", "value"].map((part) => `${time}.${l}.decoder.${part}`);
    const mixed = fused
      ? fusedSelf(own, names("past_key_values"), names("present"))
      : attend(
          split(own("q")),
          ...names("past_key_values").map((past, part) => cached(split(own("kv"[part])), past, names("present")[part])),
        );
    const self = linear(mixed, `${at}.self_attn.out_proj`);
    x = norm(g.op("Add", [x, self]), `${at}.self_attn_layer_norm`);
    const [crossKey, crossValue] = ["key", "value"].map((part) =>
      g.input(`past_key_values.${l}.encoder.${part}`, FLOAT, ["R", H, "N", E]),
    );
    const q = linear(x, `${at}.encoder_attn.q_proj`);
    const read = fused
      ? g.op("MultiHeadAttention", [q, crossKey, crossValue, "", "", bias], { num_heads: H })
      : attend(split(q), crossKey, crossValue, bias);
    const cross = linear(read, `${at}.encoder_attn.out_proj`);
    x = norm(g.op("Add", [x, cross]), `${at}.encoder_attn_layer_norm`);
    const inner = g.op("Relu", [linear(x, `${at}.fc1`)]);
    x = norm(g.op("Add", [x, linear(inner, `${at}.fc2`)]), `${at}.final_layer_norm`);
  }
  const head = checkpoint.transposed("model.shared.weight");
  const product = g.op("MatMul", [x, g.weight("lm_head.matrix", head.shape, head.data)]);
  g.op("Add", [product, weight("final_logits_bias")], {}, "logits");
  g.output("logits", FLOAT, ["R", 1, V]);
  return g.bytes();
}

/** GPT-2 with the inputs and outputs that transformers.js gives and takes. */
export function gpt2Decoder(folder) {
  const checkpoint = open(folder);
  const { n_embd: D, n_head: H, n_layer: L, vocab_size: V, layer_norm_epsilon: eps } = checkpoint.config;
  const g = createGraph(20);
  const { weight, linear, split, attend, norm, cached } = layers(g, checkpoint, { D, H, eps });
  const stored = "[I,O]";
  const ids = g.input("input_ids", INT64, ["R", "T"]);
  const mask = g.op("Cast", [g.input("attention_mask", INT64, ["R", "S + T"])], { to: FLOAT });
  const positions = g.input("position_ids", INT64, ["R", "T"]);
  const tokens = g.op("Gather", [weight("transformer.wte.weight"), ids]);
  let x = g.op("Add", [tokens, g.op("Gather", [weight("transformer.wpe.weight"), positions])]);
  // A key is seen by the tokens from its own on; the n-th token of a row has n ones of the mask up to it.
  const seen = g.op("Unsqueeze", [g.op("CumSum", [mask, g.ints(1)]), g.ints(1, 2)]);
  const now = g.op("Unsqueeze", [g.op("Cast", [positions], { to: FLOAT }), g.ints(1, 3)]);
  const future = g.op("Greater", [seen, g.op("Add", [now, g.scalar(1)])]);
  const padding = g.op("Mul", [g.op("Sub", [g.scalar(1), g.op("Unsqueeze", [mask, g.ints(1, 2)])]), g.scalar(-1e9)]);
  const bias = g.op("Add", [g.op("Where", [future, g.scalar(-1e9), g.scalar(0)]), padding]);
  for (let l = 0; l < L; l++) {
    const at = `transformer.h.${l}`;
    const qkv = linear(norm(x, `${at}.ln_1`), `${at}.attn.c_attn`, { stored });
    const part = (index) => split(g.op("Slice", [qkv, g.ints(index * D), g.ints((index + 1) * D), g.ints(2)]));
    const key = cached(part(1), `past_key_values.${l}.key`, `present.${l}.key`);
    const value = cached(part(2), `past_key_values.${l}.value`, `present.${l}.value`);
    x = g.op("Add", [x, linear(attend(part(0), key, value, bias), `${at}.attn.c_proj`, { stored })]);
    const inner = linear(norm(x, `${at}.ln_2`), `${at}.mlp.c_fc`, { stored });
    const outer = linear(g.op("Gelu", [inner], { approximate: "tanh" }), `${at}.mlp.c_proj`, { stored });
    x = g.op("Add", [x, outer]);
  }
  const head = checkpoint.transposed("transformer.wte.weight");
  const last = norm(x, "transformer.ln_f");
  g.op("MatMul", [last, g.weight("lm_head.matrix", head.shape, head.data)], {}, "logits");
  g.output("logits", FLOAT, ["R", "T", V]);
  return g.bytes();
}
