// Proof that onnxruntime-node runs a graph on WebGPU, all of it.
import { spawnSync } from "node:child_process";
import ort from "onnxruntime-node";
import { here } from "./harness.mjs";

/** Opens the file in a process of its own, whose log says which provider has the nodes: [exit code, log]. */
function openAlone(file, env = {}) {
  const script = `require("onnxruntime-node").InferenceSession.create(${JSON.stringify(file)},
    { executionProviders: ["webgpu"], logSeverityLevel: 0 }).then(() => process.exit(0), () => process.exit(1))`;
  const options = { cwd: here, env: { ...process.env, ...env }, encoding: "utf8", maxBuffer: 2 ** 28 };
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", script], options);
  return [status, stdout + stderr];
}

/** Throws unless every node runs on WebGPU; says whether its adapter is the Vulkan driver's, as ours is. */
export function provePlacement(file, what = "") {
  const [status, log] = openAlone(file);
  const [placed, count] = log.match(/All nodes placed on \[WebGpuExecutionProvider\]. Number of nodes: (\d+)/) ?? [];
  if (status !== 0 || !placed) throw new Error(`onnxruntime-node: not every node is on WebGPU\n${log.slice(-2000)}`);
  const [without] = openAlone(file, { VK_DRIVER_FILES: "none", VK_ICD_FILENAMES: "none" });
  const proof = without === 0 ? "opens without a Vulkan driver too" : "does not open without the Vulkan driver";
  const name = `onnxruntime-node ${ort.env.versions.node}${what && `, ${what}`}`;
  console.log(`${name}: all ${count} nodes on its WebGPU provider, which ${proof}`);
}
