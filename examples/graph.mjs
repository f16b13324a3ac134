// A graph of one's own: y = layernorm(x + W2 relu(W1 x)), recorded once, run on the device and in float64.
import { countLaunches, cpu, gpu as openGpu, record, tensor } from "wgformer";
import { ACTIVATIONS, layernormResidual, matmul } from "wgformer/kernels";

const [N, D, F] = [16, 8, 32];
const weight = (name, shape) => tensor(name, "f32", shape, "weight");
const [w1, w2, gamma, beta] = [weight("w1", [F, D]), weight("w2", [D, F]), weight("gamma", [D]), weight("beta", [D])];
const [x, y] = [tensor("x", "f32", [N, D]), tensor("y", "f32", [N, D])];
const linear = { J: 1, y_at: 0, eps: 0 };
const plan = record("block", (run) => {
  const hidden = tensor("hidden", "f32", [N, F], "activation");
  const update = tensor("update", "f32", [N, D], "activation");
  run(matmul, "fc1", { x, weight: w1, y: hidden }, { ...linear, O: F, ACTIVATION: ACTIVATIONS.relu.code });
  run(matmul, "fc2", { x: hidden, weight: w2, y: update }, { ...linear, O: D, ACTIVATION: ACTIVATIONS.none.code });
  run(layernormResidual, "norm", { x: update, residual: x, gamma, beta, out: y }, { eps: 1e-5 });
});

const gpu = await openGpu();
const oracle = cpu();
for (const t of [w1, w2, gamma, beta, x]) {
  const values = Float32Array.from({ length: t.shape.reduce((a, b) => a * b) }, (_, index) => Math.sin(index + 1));
  gpu.write(t, values);
  oracle.write(t, values);
}
const prepared = await gpu.prepare(plan);
const [got] = await prepared.run({ read: [y] });
oracle.run(plan);
const worst = oracle.read(y).reduce((most, want, index) => Math.max(most, Math.abs(got[index] - want)), 0);
console.log(`${countLaunches(plan)} launches, largest difference ${worst < 1e-5 ? "below 1e-5" : worst}`);
gpu.dispose();

// Prints:
// 3 launches, largest difference below 1e-5
