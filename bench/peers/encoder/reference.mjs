// BERT in plain f64, slow: what graphs on onnxruntime's CPU provider and wgformer must give at a tiny size.
import { mkdirSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";
import { load } from "../build/wgformer.mjs";
import { here } from "../harness.mjs";
import { provePlacement } from "../placement.mjs";
import { randomBert, writeCheckpoint } from "./checkpoint.mjs";
import { openEncoder } from "./compare.mjs";
import { bertGraph, FORMS } from "./graph.mjs";
import { compare, inputsOf, SHAPES, TINY } from "./shapes.mjs";

const TOLERANCE = 2e-5;
const FULL = { lengths: [20, 20] };

const erf = (x) => {
  // Taylor series, to f64 precision for what a tiny model computes
  let [sum, term] = [0, x];
  for (let n = 0; n < 200; n++) {
    sum += term / (2 * n + 1);
    term *= -(x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};
const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
const add = (a, b) => a.map((value, at) => value + b[at]);
const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);

function softmax(scores) {
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

/** Hidden states of one sentence's ids, a list of rows. */
function referenceStates({ config, tensors }, ids) {
  const { num_attention_heads: H, num_hidden_layers: L, hidden_size: D, layer_norm_eps: eps } = config;
  const E = D / H;
  const rows = (name) => {
    const {
      shape: [O, I],
      data,
    } = tensors.get(name);
    return Array.from({ length: O }, (_, o) => [...data.subarray(o * I, (o + 1) * I)]);
  };
  const vector = (name) => [...tensors.get(name).data];
  const linear = (name) => {
    const [weight, bias] = [rows(`${name}.weight`), vector(`${name}.bias`)];
    return (x) =>
      add(
        weight.map((row) => dot(row, x)),
        bias,
      );
  };
  const norm = (name) => {
    const [gamma, beta] = [vector(`${name}.weight`), vector(`${name}.bias`)];
    return (x) => {
      const mean = x.reduce((a, b) => a + b) / D;
      const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / D;
      return x.map((value, d) => ((value - mean) / Math.sqrt(variance + eps)) * gamma[d] + beta[d]);
    };
  };
  const mix = (q, keys, values) =>
    Array.from({ length: H }, (_, h) => {
      const head = (x) => x.slice(h * E, (h + 1) * E);
      const weights = softmax(keys.map((k) => dot(head(q), head(k)) / Math.sqrt(E)));
      return weights.reduce(
        (sum, weight, t) =>
          add(
            sum,
            head(values[t]).map((v) => weight * v),
          ),
        Array(E).fill(0),
      );
    }).flat();
  const [words, places, kinds] = ["word", "position", "token_type"].map((of) =>
    rows(`embeddings.${of}_embeddings.weight`),
  );
  let x = ids.map((id, t) => add(add(words[id], places[t]), kinds[0])).map(norm("embeddings.LayerNorm"));
  for (let l = 0; l < L; l++) {
    const at = `encoder.layer.${l}`;
    const [q, k, v] = ["query", "key", "value"].map((part) => x.map(linear(`${at}.attention.self.${part}`)));
    const mixed = q.map((one) => mix(one, k, v)).map(linear(`${at}.attention.output.dense`));
    x = x.map((row, t) => add(row, mixed[t])).map(norm(`${at}.attention.output.LayerNorm`));
    const inner = x.map(linear(`${at}.intermediate.dense`)).map((row) => row.map(gelu));
    const outer = inner.map(linear(`${at}.output.dense`));
    x = x.map((row, t) => add(row, outer[t])).map(norm(`${at}.output.LayerNorm`));
  }
  return x;
}

/** Padded as a model gives it. */
function referenceOf(bert, { lengths }, { input_ids }) {
  const { hidden_size: D } = bert.config;
  const S = input_ids[0].length;
  const data = new Float64Array(lengths.length * S * D);
  lengths.forEach((length, b) => data.set(referenceStates(bert, input_ids[b].slice(0, length)).flat(), b * S * D));
  return { dims: [lengths.length, S, D], data };
}

/** Throws when a graph or wgformer differs from f64, or when a graph is not all on WebGPU. */
export async function validateTiny() {
  const bert = randomBert(SHAPES.tiny);
  const folder = `${here}build/encoder/tiny`;
  mkdirSync(folder, { recursive: true });
  writeCheckpoint(folder, bert);
  const model = await load(folder);
  for (const batch of [TINY, FULL]) {
    const inputs = inputsOf(batch, SHAPES.tiny.vocab);
    const want = referenceOf(bert, batch, inputs);
    const check = (who, states) =>
      console.log(`${who}: within ${compare(want, states, batch, TOLERANCE).toExponential(1)} of f64 at a tiny size`);
    check("wgformer", (await model.forward(inputs)).last_hidden_state.data);
    for (const form of FORMS) {
      const bytes = bertGraph(bert, form, { masked: batch === TINY });
      const name = `${form}, ${batch === TINY ? "masked" : "unmasked"}`;
      const session = await openEncoder(ort, bytes, "cpu");
      check(`${name} graph, CPU provider`, await session.run(inputs));
      await session.release();
      const file = `${folder}/${name.replace(/[, ]+/g, "-")}.onnx`;
      writeFileSync(file, bytes);
      provePlacement(file, name);
    }
  }
  model.dispose();
}
