// What is compared: sizes, inputs by seed, and whether two outputs agree.
import { randoms } from "../build/random.mjs";

const matmul = (N, I, O) => ({ name: `matmul ${N}x${I}x${O}`, kernel: "matmul", N, I, O });

export const CASES = [
  matmul(512, 512, 512),
  matmul(1024, 1024, 1024),
  matmul(128, 768, 3072),
  { name: "layernorm N=512 D=768", kernel: "layernorm", N: 512, D: 768 },
  { name: "attention S=512 H=12 E=64", kernel: "attention", S: 512, H: 12, E: 64 },
  { name: "topk R=4 V=50257 k=8", kernel: "topk", R: 4, V: 50257, C: 8 },
];
export const EPSILON = 1e-5; // of layernorm

const TOLERANCE = 1e-4;

const SHAPES = {
  matmul: ({ N, I, O }) => ({ x: [N, I], weight: [I, O] }),
  layernorm: ({ N, D }) => ({ x: [N, D], gamma: [D], beta: [D] }),
  attention: ({ S, H, E }) => ({ q: [1, S, H * E], k: [1, S, H * E], v: [1, S, H * E] }),
  topk: ({ R, V }) => ({ x: [R, V] }),
};

/** What a model holds rather than computes. */
export const WEIGHTS = ["weight", "gamma", "beta"];

/** `{ dims, data }` by name; a weight lies as [in,out]. */
export function inputsOf(test) {
  const random = randoms(7);
  const fill = (dims) => Float32Array.from({ length: dims.reduce((a, b) => a * b) }, random);
  return Object.fromEntries(
    Object.entries(SHAPES[test.kernel](test)).map(([name, dims]) => [name, { dims, data: fill(dims) }]),
  );
}

/** Largest difference of values, relative above 1. Throws when outputs, [values, ids?], disagree. */
export function compare(theirs, ours) {
  let worst = 0;
  ours.forEach((array, output) => {
    const lengths = [theirs[output]?.length, array.length];
    if (lengths[0] !== lengths[1]) throw new Error(`outputs must have one length, got ${lengths}`);
    const allowed = output === 0 ? TOLERANCE : 0;
    array.forEach((value, at) => {
      const got = Number(theirs[output][at]); // ids may be 64 bits wide
      const difference = Math.abs(got - value) / Math.max(1, Math.abs(value));
      if (!(difference <= allowed)) throw new Error(`output [${at}] is ${got} there, ${value} here`);
      worst = Math.max(worst, difference);
    });
  });
  return worst;
}

/** How onnxruntime may compute a case: by its own operator, or in plain ones, heads already apart. */
export const formsOf = ({ kernel }) => (kernel === "attention" ? ["fused", "plain"] : ["operator"]);

/** Where a case's ONNX graph lies in this folder: its launch, or what is around it. */
export const fileOf = ({ name }, form, part) => `build/kernels/${name.replace(/[ =]/g, "-")}.${form}.${part}.onnx`;
