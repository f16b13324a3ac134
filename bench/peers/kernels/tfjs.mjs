// TensorFlow.js on its WebGPU backend. `tf` is @tensorflow/tfjs-core with that backend registered.
import { EPSILON } from "./cases.mjs";

/** [heads,rows,width] from rows of all heads: the layout that its batched product takes without a transpose. */
function splitHeads(tf, { dims: [, S, D], data }, E) {
  return tf.tidy(() => tf.transpose(tf.tensor(data, [S, D / E, E]), [1, 0, 2]));
}

const graphs = (tf) => ({
  matmul: (_, { x, weight }) => [tf.matMul(x, weight)],
  layernorm: (_, { x, gamma, beta }) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), EPSILON));
    return [tf.add(tf.mul(tf.mul(centred, scale), gamma), beta)];
  },
  attention: ({ E }, { q, k, v }) => [tf.matMul(tf.softmax(tf.matMul(tf.mul(q, E ** -0.5), k, false, true)), v)],
  topk: ({ C }, { x }) => {
    const { values, indices } = tf.topk(x, C);
    return [values, indices];
  },
});

export async function openTfjs(tf) {
  if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs: its webgpu backend must open, it does not here");
  async function prepare(test, inputs) {
    const place = (one) => (test.kernel === "attention" ? splitHeads(tf, one, test.E) : tf.tensor(one.data, one.dims));
    const placed = Object.fromEntries(Object.entries(inputs).map(([name, one]) => [name, place(one)]));
    const launch = () => tf.tidy(() => graphs(tf)[test.kernel](test, placed));
    const output = async () => {
      const results = tf.tidy(() => (test.kernel === "attention" ? [tf.transpose(...launch(), [1, 0, 2])] : launch()));
      const arrays = await Promise.all(results.map((t) => t.data()));
      tf.dispose(results);
      return arrays;
    };
    const repeat = async (count) => {
      let last = [];
      for (let n = 0; n < count; n++) {
        tf.dispose(last);
        last = launch();
      }
      const first = tf.tidy(() => tf.slice(tf.reshape(last[0], [-1]), 0, 1));
      await first.data();
      tf.dispose([...last, first]);
    };
    return { output, repeat, dispose: () => tf.dispose(placed) };
  }
  return { prepare };
}
