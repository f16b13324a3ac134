// The decoder of FasterTransformer's benchmark, in the operators that exporters use, with its past as inputs and outputs.
import { layers } from "../decoder/graphs.mjs";
import { createGraph, FLOAT, INT64 } from "../onnx.mjs";

const eps = 1e-5;

/** Keys and values of the source: computed once, then given to every step. */
export function ftCross(checkpoint, { D, H, E, L }) {
  const g = createGraph(17);
  const { linear, split } = layers(g, checkpoint, { D, H, eps });
  const states = g.input("encoder_hidden_states", FLOAT, ["R", "N", D]);
  for (let l = 0; l < L; l++) {
    for (const part of ["key", "value"]) {
      const x = split(linear(states, `model.decoder.layers.${l}.encoder_attn.${part[0]}_proj`));
      g.output(g.op("Identity", [x], {}, `present.${l}.encoder.${part}`), FLOAT, ["R", H, "N", E]);
    }
  }
  return g.bytes();
}

/**
 * A step. `parents` are the rows whose past each row continues, as exporters reorder caches for beams; a single beam
 * takes no such input. `positions` f32[P,D] are the model's.
 */
export function ftStep(checkpoint, { D, H, E, L, V }, positions, beams) {
  const g = createGraph(17);
  const { weight, linear, split, attend, norm } = layers(g, checkpoint, { D, H, eps });
  const ids = g.input("input_ids", INT64, ["R", 1]);
  const position = g.input("position_ids", INT64, [1]);
  const bias = g.input("encoder_attention_bias", FLOAT, ["R", 1, 1, "N"]);
  const parents = beams && g.input("parents", INT64, ["R"]);
  const tokens = g.op("Mul", [g.op("Gather", [weight("model.shared.weight"), ids]), g.scalar(Math.sqrt(D))]);
  const table = g.weight("positions", [positions.length / D, D], positions);
  let x = g.op("Add", [tokens, g.op("Gather", [table, position])]);
  for (let l = 0; l < L; l++) {
    const at = `model.decoder.layers.${l}`;
    const past = (part) => {
      const own = g.input(`past_key_values.${l}.decoder.${part}`, FLOAT, ["R", H, "S", E]);
      return beams ? g.op("Gather", [own, parents], { axis: 0 }) : own;
    };
    const grown = (part, own) => {
      const kept = g.op("Concat", [past(part), own], { axis: 2 }, `present.${l}.decoder.${part}`);
      g.output(kept, FLOAT, ["R", H, "S + 1", E]);
      return kept;
    };
    const normed = norm(x, `${at}.self_attn_layer_norm`);
    const [q, k, v] = ["q", "k", "v"].map((part) => split(linear(normed, `${at}.self_attn.${part}_proj`)));
    const mixed = attend(q, grown("key", k), grown("value", v));
    x = g.op("Add", [x, linear(mixed, `${at}.self_attn.out_proj`)]);
    const asked = split(linear(norm(x, `${at}.encoder_attn_layer_norm`), `${at}.encoder_attn.q_proj`));
    const [keys, values] = ["key", "value"].map((part) =>
      g.input(`past_key_values.${l}.encoder.${part}`, FLOAT, ["R", H, "N", E]),
    );
    x = g.op("Add", [x, linear(attend(asked, keys, values, bias), `${at}.encoder_attn.out_proj`)]);
    const inner = g.op("Relu", [linear(norm(x, `${at}.final_layer_norm`), `${at}.fc1`)]);
    x = g.op("Add", [x, linear(inner, `${at}.fc2`)]);
  }
  const head = checkpoint.transposed("model.shared.weight");
  g.op(
    "MatMul",
    [norm(x, "model.decoder.layer_norm"), g.weight("lm_head.matrix", head.shape, head.data)],
    {},
    "logits",
  );
  g.output("logits", FLOAT, ["R", 1, V]);
  return g.bytes();
}
