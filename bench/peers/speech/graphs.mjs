// Moonshine in the operators that exporters of it use, in f32. What varies with the length comes as inputs (cosines and
// sines), so that no operator of shapes is put on the CPU.
import { open } from "../decoder/graphs.mjs";
import { createGraph, FLOAT, INT64 } from "../onnx.mjs";

const EPSILON = 1e-5;

/** What all three graphs are made of. */
function begin(folder) {
  const { config, read, transposed } = open(folder);
  const { hidden_size: D, encoder_num_attention_heads: H, intermediate_size: F } = config;
  const E = D / H;
  const g = createGraph(20);
  const weight = (name, dims) => {
    const { shape, data } = read(name);
    return g.weight(name, dims ?? shape, data);
  };
  const linear = (x, name, { bias = false } = {}) => {
    const { shape, data } = transposed(`${name}.weight`);
    const product = g.op("MatMul", [x, g.weight(`${name}.matrix`, shape, data)]);
    return bias ? g.op("Add", [product, weight(`${name}.bias`)]) : product;
  };
  const norm = (x, name) => g.op("LayerNormalization", [x, weight(`${name}.weight`)], { axis: -1, epsilon: EPSILON });
  const heads = (x) => g.op("Reshape", [x, g.ints(0, 0, H, E)]);
  const forward = (x) => g.op("Transpose", [x], { perm: [0, 2, 1, 3] });
  /** Pairs of neighbours in [B,T,H,E], by cosines and signed sines [T,1,E]. */
  const rotate = (x, cosines, sines) => {
    const neighbours = Array.from({ length: E }, (_, e) => e ^ 1);
    const other = g.op("Gather", [x, g.ints(...neighbours)], { axis: 3 });
    return g.op("Add", [g.op("Mul", [x, cosines]), g.op("Mul", [other, sines])]);
  };
  const attend = (q, keys, values) => {
    const scaled = g.op("Mul", [q, g.scalar(E ** -0.5)]);
    const scores = g.op("MatMul", [scaled, g.op("Transpose", [keys], { perm: [0, 1, 3, 2] })]);
    const mixed = g.op("MatMul", [g.op("Softmax", [scores], { axis: -1 }), values]);
    return g.op("Reshape", [forward(mixed), g.ints(0, 0, D)]);
  };
  return { g, config, D, H, E, F, weight, linear, norm, heads, forward, rotate, attend, transposed };
}

const rotations = (g, E, T) => ["cosines", "sines"].map((name) => g.input(name, FLOAT, [T, 1, E]));

/** From samples [1,n] to the states of the encoder. */
export function speechEncoder(folder) {
  const { g, config, D, E, weight, linear, norm, heads, forward, rotate, attend } = begin(folder);
  const [cosines, sines] = rotations(g, E, "S");
  const convolve = (x, i, strides, bias) => {
    const name = `model.encoder.conv${i}`;
    return g.op("Conv", [x, weight(`${name}.weight`), ...(bias ? [weight(`${name}.bias`)] : [])], {
      strides: [strides],
    });
  };
  const samples = g.op("Unsqueeze", [g.input("input_values", FLOAT, [1, "n"]), g.ints(1)]);
  const first = g.op("Tanh", [convolve(samples, 1, 64, false)]);
  const flat = g.op("Reshape", [first, g.ints(0, 1, -1)]);
  const [one, zero] = [1, 0].map((value) => g.weight(`f32 [${value}]`, [1], Float32Array.of(value)));
  const whole = g.op("InstanceNormalization", [flat, one, zero], { epsilon: EPSILON });
  const affine = (x, op, part) => g.op(op, [x, weight(`model.encoder.groupnorm.${part}`, [D, 1])]);
  const normed = affine(affine(g.op("Reshape", [whole, g.ints(0, D, -1)]), "Mul", "weight"), "Add", "bias");
  const second = g.op("Gelu", [convolve(normed, 2, 3, true)]);
  let x = g.op("Transpose", [g.op("Gelu", [convolve(second, 3, 2, true)])], { perm: [0, 2, 1] });
  for (let l = 0; l < config.encoder_num_hidden_layers; l++) {
    const at = `model.encoder.layers.${l}`;
    const normal = norm(x, `${at}.input_layernorm`);
    const [q, k, v] = ["q", "k", "v"].map((part) => heads(linear(normal, `${at}.self_attn.${part}_proj`)));
    const mixed = attend(forward(rotate(q, cosines, sines)), forward(rotate(k, cosines, sines)), forward(v));
    x = g.op("Add", [x, linear(mixed, `${at}.self_attn.o_proj`)]);
    const inner = linear(norm(x, `${at}.post_attention_layernorm`), `${at}.mlp.fc1`, { bias: true });
    x = g.op("Add", [x, linear(g.op("Gelu", [inner]), `${at}.mlp.fc2`, { bias: true })]);
  }
  const last = norm(x, "model.encoder.layer_norm");
  g.output(g.op("Identity", [last], {}, "last_hidden_state"), FLOAT, [1, "S", D]);
  return g.bytes();
}

/** Keys and values of the states for every layer of the decoder: computed once. */
export function speechCross(folder) {
  const { g, config, D, H, E, linear, heads, forward } = begin(folder);
  const states = g.input("encoder_hidden_states", FLOAT, [1, "S", D]);
  for (let l = 0; l < config.decoder_num_hidden_layers; l++)
    for (const [part, projection] of [
      ["key", "k_proj"],
      ["value", "v_proj"],
    ]) {
      const x = forward(heads(linear(states, `model.decoder.layers.${l}.encoder_attn.${projection}`)));
      g.output(g.op("Identity", [x], {}, `present.${l}.encoder.${part}`), FLOAT, [1, H, "S", E]);
    }
  return g.bytes();
}

/** A step of the decoder. `fused`: attention by onnxruntime's own operator, which also appends to the past. */
export function speechDecoder(folder, { fused = false } = {}) {
  const { g, config, D, H, E, F, weight, linear, norm, heads, forward, rotate, attend, transposed } = begin(folder);
  const [cosines, sines] = rotations(g, E, 1);
  const join = (x) => g.op("Reshape", [x, g.ints(0, 0, D)]);
  const selfAttend = (q, k, v, pasts, presents) => {
    for (const past of pasts) g.input(past, FLOAT, [1, H, "T", E]);
    for (const present of presents) g.output(present, FLOAT, [1, H, "T + 1", E]);
    if (fused) {
      const args = [join(q), join(k), join(v), "", "", "", ...pasts];
      return g.op("MultiHeadAttention", args, { num_heads: H }, [`mixed.${presents[0]}`, ...presents])[0];
    }
    const kept = [k, v].map((x, i) => g.op("Concat", [pasts[i], forward(x)], { axis: 2 }, presents[i]));
    return attend(forward(q), ...kept);
  };
  let x = g.op("Gather", [weight("model.decoder.embed_tokens.weight"), g.input("input_ids", INT64, [1, 1])]);
  for (let l = 0; l < config.decoder_num_hidden_layers; l++) {
    const at = `model.decoder.layers.${l}`;
    const names = (time, side) => ["key", "value"].map((part) => `${time}.${l}.${side}.${part}`);
    const normal = norm(x, `${at}.input_layernorm`);
    const [q, k, v] = ["q", "k", "v"].map((part) => heads(linear(normal, `${at}.self_attn.${part}_proj`)));
    const turned = [q, k].map((one) => rotate(one, cosines, sines));
    const mixed = selfAttend(...turned, v, names("past_key_values", "decoder"), names("present", "decoder"));
    x = g.op("Add", [x, linear(mixed, `${at}.self_attn.o_proj`)]);
    const source = names("past_key_values", "encoder").map((name) => g.input(name, FLOAT, [1, H, "S", E]));
    const ask = linear(norm(x, `${at}.post_attention_layernorm`), `${at}.encoder_attn.q_proj`);
    const heard = fused
      ? g.op("MultiHeadAttention", [ask, ...source], { num_heads: H })
      : attend(forward(heads(ask)), ...source);
    x = g.op("Add", [x, linear(heard, `${at}.encoder_attn.o_proj`)]);
    const both = linear(norm(x, `${at}.final_layernorm`), `${at}.mlp.fc1`, { bias: true });
    const [value, gate] = [0, F].map((first) => g.op("Slice", [both, g.ints(first), g.ints(first + F), g.ints(2)]));
    const inner = g.op("Mul", [g.op("Mul", [gate, g.op("Sigmoid", [gate])]), value]);
    x = g.op("Add", [x, linear(inner, `${at}.mlp.fc2`, { bias: true })]);
  }
  const head = transposed("model.decoder.embed_tokens.weight");
  g.op("MatMul", [norm(x, "model.decoder.norm"), g.weight("lm_head.matrix", head.shape, head.data)], {}, "logits");
  g.output("logits", FLOAT, [1, 1, config.vocab_size]);
  return g.bytes();
}
