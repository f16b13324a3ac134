// Marian as transformers.js wants it: an encoder, and one decoder for its first and its later steps.
import { layers, marianShape, open, sinusoids } from "../decoder/graphs.mjs";
import { createGraph, FLOAT, INT64 } from "../onnx.mjs";

/** What adds positions from `first` on to tokens, and what adds a mask of the source to scores. */
function begin(g, checkpoint, D) {
  const { vocab_size, max_position_embeddings: P } = checkpoint.config;
  const { shape, data } = checkpoint.read("model.shared.weight");
  return {
    V: vocab_size,
    embed(ids, first, last) {
      const tokens = g.op("Gather", [g.weight("model.shared.weight", shape, data), ids]);
      const places = g.op("Slice", [g.weight("positions", [P, D], sinusoids(P, D)), first, last, g.ints(0)]);
      return g.op("Add", [g.op("Mul", [tokens, g.scalar(Math.sqrt(D))]), places]);
    },
    biasOf(mask) {
      const unseen = g.op("Sub", [g.scalar(1), g.op("Cast", [mask], { to: FLOAT })]);
      return g.op("Mul", [g.op("Unsqueeze", [unseen, g.ints(1, 2)]), g.scalar(-1e9)]);
    },
  };
}

/** The encoder: states of padded rows. */
export function marianEncoder(folder) {
  const checkpoint = open(folder);
  const g = createGraph(17);
  const shape = marianShape(checkpoint.config);
  const { linear, split, attend, norm } = layers(g, checkpoint, shape);
  const { embed, biasOf } = begin(g, checkpoint, shape.D);
  const ids = g.input("input_ids", INT64, ["R", "N"]);
  const bias = biasOf(g.input("attention_mask", INT64, ["R", "N"]));
  let x = embed(ids, g.ints(0), g.op("Shape", [ids], { start: 1, end: 2 }));
  for (let l = 0; l < checkpoint.config.encoder_layers; l++) {
    const at = `model.encoder.layers.${l}`;
    const [q, k, v] = ["q", "k", "v"].map((part) => split(linear(x, `${at}.self_attn.${part}_proj`)));
    const self = linear(attend(q, k, v, bias), `${at}.self_attn.out_proj`);
    x = norm(g.op("Add", [x, self]), `${at}.self_attn_layer_norm`);
    const inner = g.op("Relu", [linear(x, `${at}.fc1`)]);
    x = norm(g.op("Add", [x, linear(inner, `${at}.fc2`)]), `${at}.final_layer_norm`);
  }
  g.output(g.op("Identity", [x], {}, "last_hidden_state"), FLOAT, ["R", "N", shape.D]);
  return g.bytes();
}

/**
 * The decoder. Keys and values of the source are what came before, and those of the states beyond them: of all in the first
 * step, of none later.
 */
export function marianMerged(folder) {
  const checkpoint = open(folder);
  const g = createGraph(17);
  const shape = marianShape(checkpoint.config);
  const { D, H } = shape;
  const { E, weight, linear, split, attend, norm, cached } = layers(g, checkpoint, shape);
  const { V, embed, biasOf } = begin(g, checkpoint, D);
  const ids = g.input("input_ids", INT64, ["R", 1]);
  const bias = biasOf(g.input("encoder_attention_mask", INT64, ["R", "N"]));
  const states = g.input("encoder_hidden_states", FLOAT, ["R", "N", D]);
  const lengthOf = (past) => g.op("Shape", [past], { start: 2, end: 3 });
  const source = (l) => {
    const pasts = ["key", "value"].map((part) =>
      g.input(`past_key_values.${l}.encoder.${part}`, FLOAT, ["R", H, "P", E]),
    );
    const rest = g.op("Slice", [states, lengthOf(pasts[0]), g.ints(2 ** 31), g.ints(1)]);
    return pasts.map((past, part) => {
      const own = split(linear(rest, `model.decoder.layers.${l}.encoder_attn.${"kv"[part]}_proj`));
      const name = `present.${l}.encoder.${["key", "value"][part]}`;
      g.output(g.op("Concat", [past, own], { axis: 2 }, name), FLOAT, ["R", H, "N", E]);
      return name;
    });
  };
  const first = lengthOf("past_key_values.0.decoder.key");
  let x = embed(ids, first, g.op("Add", [first, g.ints(1)]));
  for (let l = 0; l < checkpoint.config.decoder_layers; l++) {
    const at = `model.decoder.layers.${l}`;
    const own = (part) => split(linear(x, `${at}.self_attn.${part}_proj`));
    const names = (time) => ["key", "value"].map((part) => `${time}.${l}.decoder.${part}`);
    const kept = names("past_key_values").map((past, i) => cached(own("kv"[i]), past, names("present")[i]));
    const self = linear(attend(own("q"), ...kept), `${at}.self_attn.out_proj`);
    x = norm(g.op("Add", [x, self]), `${at}.self_attn_layer_norm`);
    const q = split(linear(x, `${at}.encoder_attn.q_proj`));
    const cross = linear(attend(q, ...source(l), bias), `${at}.encoder_attn.out_proj`);
    x = norm(g.op("Add", [x, cross]), `${at}.encoder_attn_layer_norm`);
    const inner = g.op("Relu", [linear(x, `${at}.fc1`)]);
    x = norm(g.op("Add", [x, linear(inner, `${at}.fc2`)]), `${at}.final_layer_norm`);
  }
  const head = checkpoint.transposed("model.shared.weight");
  const product = g.op("MatMul", [x, g.weight("lm_head.matrix", head.shape, head.data)]);
  g.output(g.op("Add", [product, weight("final_logits_bias")], {}, "logits"), FLOAT, ["R", 1, V]);
  return g.bytes();
}
