// Runs in Chrome: onnxruntime-web's encoder and wgformer's, in turn.
import * as ort from "/node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs";
import { load } from "/build/wgformer.mjs";
import { counted } from "/dispatches.mjs";
import { openEncoder } from "./ort.mjs";
import { compareBatch } from "./turns.mjs";

/** Both models of a folder; returns the adapter's name. */
export async function open(folder) {
  const model = await load(new URL(folder, location.href));
  globalThis.encoders = { model, theirs: await openEncoder(ort, `${folder}model.onnx`) };
  return model.gpu.info.description;
}

export const measure = (batch, rounds) => compareBatch({ ...globalThis.encoders, batch, rounds, count: counted });
