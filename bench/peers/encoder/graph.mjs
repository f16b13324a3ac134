// BERT as ONNX, in the operators that exporters write or in those that onnxruntime adds.
import { createGraph, FLOAT, INT64 } from "../onnx.mjs";

const OPSET = 17;
const NOWHERE = -1e9; // added to the scores of padding

export const FORMS = ["standard", "fused"];

function transposed({ shape: [O, I], data }) {
  const turned = new Float32Array(data.length);
  for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) turned[i * O + o] = data[o * I + i];
  return turned;
}

/** Attention and what is around it, in the form asked for. */
function operators(g, { tensors, config }, fused) {
  const { hidden_size: D, num_attention_heads: H, layer_norm_eps: epsilon } = config;
  const weight = (name) => g.weight(name, tensors.get(name).shape, tensors.get(name).data);
  const product = (x, name) => {
    const {
      shape: [O, I],
    } = tensors.get(`${name}.weight`);
    return g.op("MatMul", [x, g.weight(`${name}.matrix`, [I, O], transposed(tensors.get(`${name}.weight`)))]);
  };
  const linear = (x, name) => g.op("Add", [product(x, name), weight(`${name}.bias`)]);
  const normArgs = (name) => [weight(`${name}.weight`), weight(`${name}.bias`)];
  const norm = (x, name) => g.op("LayerNormalization", [x, ...normArgs(name)], { axis: -1, epsilon });
  const residual = (x, from, name, to) => {
    if (!fused) return norm(g.op("Add", [linear(from, name), x]), to);
    const args = [product(from, name), x, ...normArgs(to), weight(`${name}.bias`)];
    return g.op("SkipLayerNormalization", args, { epsilon });
  };
  const gelu = (x, name) => {
    if (fused) return g.op("BiasGelu", [product(x, name), weight(`${name}.bias`)]);
    const inner = linear(x, name);
    const half = g.op("Add", [g.op("Erf", [g.op("Div", [inner, g.scalar(Math.SQRT2)])]), g.scalar(1)]);
    return g.op("Mul", [g.op("Mul", [inner, half]), g.scalar(0.5)]);
  };
  const split = (x, perm) => g.op("Transpose", [g.op("Reshape", [x, g.ints(0, 0, H, D / H)])], { perm });
  const attend = (q, k, v, bias) => {
    if (fused) {
      return g.op("MultiHeadAttention", bias ? [q, k, v, "", "", bias] : [q, k, v], { num_heads: H });
    }
    const dots = g.op("MatMul", [split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1])]);
    const scores = g.op("Div", [dots, g.scalar(Math.sqrt(D / H))]);
    const weights = g.op("Softmax", [bias ? g.op("Add", [scores, bias]) : scores], { axis: -1 });
    const mixed = g.op("MatMul", [weights, split(v, [0, 2, 1, 3])]);
    return g.op("Reshape", [g.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }), g.ints(0, 0, D)]);
  };
  return { weight, linear, norm, residual, gelu, attend };
}

/**
 * From `input_ids`, `token_type_ids` and `position_ids` to `last_hidden_state`. `masked`: takes `attention_mask` too;
 * without one the batch must be of one length.
 */
export function bertGraph(bert, form, { masked }) {
  const { hidden_size: D, num_hidden_layers: L } = bert.config;
  const g = createGraph(OPSET);
  const fused = form === "fused";
  const { weight, linear, norm, residual, gelu, attend } = operators(g, bert, fused);
  const ids = g.input("input_ids", INT64, ["B", "S"]);
  const kinds = g.input("token_type_ids", INT64, ["B", "S"]);
  const positions = g.input("position_ids", INT64, [1, "S"]);
  const embed = (of, at) => g.op("Gather", [weight(`embeddings.${of}_embeddings.weight`), at]);
  const words = g.op("Add", [embed("word", ids), embed("token_type", kinds)]);
  let x = norm(g.op("Add", [words, embed("position", positions)]), "embeddings.LayerNorm");
  const bias = masked ? addedMask(g, fused) : undefined;
  for (let l = 0; l < L; l++) {
    const at = `encoder.layer.${l}`;
    const [q, k, v] = ["query", "key", "value"].map((part) => linear(x, `${at}.attention.self.${part}`));
    x = residual(x, attend(q, k, v, bias), `${at}.attention.output.dense`, `${at}.attention.output.LayerNorm`);
    x = residual(x, gelu(x, `${at}.intermediate.dense`), `${at}.output.dense`, `${at}.output.LayerNorm`);
  }
  g.op("Identity", [x], {}, "last_hidden_state");
  g.output("last_hidden_state", FLOAT, ["B", "S", D]);
  return g.bytes();
}

/** What is added to scores: 0 at tokens. The fused operator wants a row for every query. */
function addedMask(g, fused) {
  const mask = g.input("attention_mask", FLOAT, ["B", "S"]); // whole numbers would be cast on the CPU
  const absent = g.op("Mul", [g.op("Sub", [g.scalar(1), mask]), g.scalar(NOWHERE)]);
  const row = g.op("Unsqueeze", [absent, g.ints(1, 2)]);
  if (!fused) return row;
  const column = g.op("Unsqueeze", [g.op("Mul", [mask, g.scalar(0)]), g.ints(1, 3)]);
  return g.op("Add", [row, column]);
}
