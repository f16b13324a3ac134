// The kernels as ONNX, and helpers that keep what they read and write on the GPU.
import { mkdirSync, writeFileSync } from "node:fs";
import { here } from "../harness.mjs";
import { createGraph, FLOAT, INT64 } from "../onnx.mjs";
import { EPSILON, fileOf, formsOf, inputsOf, WEIGHTS } from "./cases.mjs";

const OPSET = 17;

/** Names, types and sizes of what a kernel writes. */
const RESULTS = {
  matmul: ({ N, O }) => [["y", FLOAT, [N, O]]],
  layernorm: ({ N, D }) => [["y", FLOAT, [N, D]]],
  attention: ({ S, H, E }) => [["y", FLOAT, [1, S, H * E]]],
  topk: ({ R, C }) => [
    ["y", FLOAT, [R, C]],
    ["ids", INT64, [R, C]],
  ],
};

/** [1,S,D] of all heads as a batch of heads, and back. */
const split = (g, name, { H, E }, perm = [0, 2, 1, 3]) =>
  g.op("Transpose", [g.op("Reshape", [name, g.ints(0, 0, H, E)])], { perm }, name.replace("host ", ""));
const join = (g, name, { H, E }, result) =>
  g.op("Reshape", [g.op("Transpose", [name], { perm: [0, 2, 1, 3] }), g.ints(0, 0, H * E)], {}, result);

const NODES = {
  matmul: (g) => g.op("MatMul", ["x", "weight"], {}, "y"),
  layernorm: (g) => g.op("LayerNormalization", ["x", "gamma", "beta"], { axis: -1, epsilon: EPSILON }, "y"),
  attention(g, { H, E }, form) {
    if (form === "fused") return g.op("MultiHeadAttention", ["q", "k", "v"], { num_heads: H }, "y");
    const scores = g.op("MatMul", [g.op("Mul", ["q", g.scalar(E ** -0.5)]), "k"]);
    return g.op("MatMul", [g.op("Softmax", [scores], { axis: -1 }), "v"], {}, "y");
  },
  topk: (g, { C }) => g.op("TopK", ["x", g.ints(C)], { axis: -1 }, ["y", "ids"]),
};

/** What the launch is given and gives, as far as its form changes that: heads split, keys transposed. */
function dimsIn(name, dims, { H, S, E }, form) {
  if (form !== "plain") return dims;
  return name === "k" ? [1, H, E, S] : [1, H, S, E];
}

const given = (inputs) => inputs.filter(([name]) => !WEIGHTS.includes(name));

function launchGraph(test, inputs, form) {
  const g = createGraph(OPSET);
  for (const [name, { dims, data }] of inputs) if (WEIGHTS.includes(name)) g.weight(name, dims, data);
  for (const [name, { dims }] of given(inputs)) g.input(name, FLOAT, dimsIn(name, dims, test, form));
  NODES[test.kernel](g, test, form);
  for (const [name, type, dims] of RESULTS[test.kernel](test)) g.output(name, type, dimsIn(name, dims, test, form));
  return g.bytes();
}

/** Gives the inputs back as the launch wants them: on the GPU, when its outputs are wanted there. */
function uploadGraph(test, inputs, form) {
  const g = createGraph(OPSET);
  for (const [name, { dims }] of given(inputs)) {
    const host = g.input(`host ${name}`, FLOAT, dims);
    if (form === "plain") split(g, host, test, name === "k" ? [0, 2, 3, 1] : undefined);
    else g.op("Identity", [host], {}, name);
    g.output(name, FLOAT, dimsIn(name, dims, test, form));
  }
  return g.bytes();
}

/** Results in their common layout. */
function resultGraph(test, form) {
  const g = createGraph(OPSET);
  for (const [name, type, dims] of RESULTS[test.kernel](test)) {
    g.input(name, type, dimsIn(name, dims, test, form));
    if (form === "plain") join(g, name, test, `all ${name}`);
    else g.op("Identity", [name], {}, `all ${name}`);
    g.output(`all ${name}`, type, dims);
  }
  return g.bytes();
}

/** The first number of a result: all that came before is done when it arrives. */
function probeGraph(test, form) {
  const [[, type, dims]] = RESULTS[test.kernel](test);
  const g = createGraph(OPSET);
  const flat = g.op("Reshape", [g.input("y", type, dimsIn("y", dims, test, form)), g.ints(-1)]);
  g.op("Slice", [flat, g.ints(0), g.ints(1)], {}, "first");
  g.output("first", type, [1]);
  return g.bytes();
}

/** Writes every case in every form; returns the files of the launches. */
export function writeGraphs(cases) {
  mkdirSync(`${here}build/kernels`, { recursive: true });
  return cases.flatMap((test) =>
    formsOf(test).map((form) => {
      const inputs = Object.entries(inputsOf(test));
      const write = (part, bytes) => writeFileSync(here + fileOf(test, form, part), bytes);
      write("launch", launchGraph(test, inputs, form));
      write("upload", uploadGraph(test, inputs, form));
      write("result", resultGraph(test, form));
      write("probe", probeGraph(test, form));
      return here + fileOf(test, form, "launch");
    }),
  );
}
