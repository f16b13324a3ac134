// jax-js on its WebGPU backend, jitted. `jax` is what the package exports.
import { EPSILON } from "./cases.mjs";

// A function takes hold of its arguments: `.ref` keeps one for another use.
const functions = ({ numpy: np, nn, lax }) => ({
  matmul:
    () =>
    ({ x, weight }) => [np.matmul(x, weight)],
  layernorm:
    () =>
    ({ x, gamma, beta }) => [nn.standardize(x, -1, { epsilon: EPSILON }).mul(gamma).add(beta)],
  attention:
    () =>
    ({ q, k, v }) => [nn.dotProductAttention(q, k, v)],
  topk:
    ({ C }) =>
    ({ x }) =>
      lax.topK(x, C),
});

export async function openJax(jax) {
  const backends = await jax.init("webgpu");
  if (!backends.includes("webgpu")) throw new Error(`jax-js: its webgpu backend must open, got ${backends}`);
  jax.defaultDevice("webgpu");
  async function prepare(test, inputs) {
    const dimsOf = ({ dims }) => (test.kernel === "attention" ? [1, test.S, test.H, test.E] : dims);
    const placed = Object.fromEntries(
      Object.entries(inputs).map(([name, one]) => [name, jax.numpy.array(one.data).reshape(dimsOf(one))]),
    );
    await jax.blockUntilReady(placed);
    const run = jax.jit(functions(jax)[test.kernel](test));
    const launch = () => run(Object.fromEntries(Object.entries(placed).map(([name, array]) => [name, array.ref])));
    const output = async () => {
      const arrays = [];
      for (const array of launch()) arrays.push(await array.data());
      return arrays;
    };
    const repeat = async (count) => {
      const results = Array.from({ length: count }, launch);
      await jax.blockUntilReady(results);
      results.flat().forEach((array) => array.dispose());
    };
    const dispose = () => {
      run.dispose();
      Object.values(placed).forEach((array) => array.dispose());
    };
    return { output, repeat, dispose };
  }
  return { prepare };
}
