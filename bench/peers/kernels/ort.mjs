// onnxruntime's WebGPU provider, in Node or in Chrome: inputs and results are GPU buffers, weights are the graph's.
import { fileOf, formsOf } from "./cases.mjs";

const GPU = "gpu-buffer";

/** `ort` is the package's module; `folder` is where the graphs lie, a path or an address. */
export async function openOrt(ort, folder) {
  async function prepare(test, inputs, form) {
    const open = (part, preferredOutputLocation) =>
      ort.InferenceSession.create(folder + fileOf(test, form, part), {
        executionProviders: ["webgpu"],
        preferredOutputLocation,
        logSeverityLevel: 3,
      });
    const sessions = {
      upload: await open("upload", GPU),
      launch: await open("launch", GPU),
      result: await open("result", "cpu"),
      probe: await open("probe", "cpu"),
    };
    const given = sessions.upload.inputNames.map((name) => {
      const { dims, data } = inputs[name.replace("host ", "")];
      return [name, new ort.Tensor("float32", data, dims)];
    });
    const placed = await sessions.upload.run(Object.fromEntries(given));
    const release = (tensors) => Object.values(tensors).forEach((t) => t.dispose());
    const output = async () => {
      const results = await sessions.launch.run(placed);
      const all = await sessions.result.run(results);
      release(results);
      return sessions.result.outputNames.map((name) => all[name].data);
    };
    const repeat = async (count) => {
      let last = {};
      for (let n = 0; n < count; n++) {
        release(last); // its buffer serves again
        last = await sessions.launch.run(placed);
      }
      const { location } = last.y;
      if (location !== GPU) throw new Error(`onnxruntime: y must stay on the GPU, got ${location}`);
      await sessions.probe.run({ y: last.y });
      release(last);
    };
    const dispose = async () => {
      release(placed);
      for (const session of Object.values(sessions)) await session.release();
    };
    return { output, repeat, dispose };
  }
  return { forms: formsOf, prepare };
}
