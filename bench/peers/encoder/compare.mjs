// onnxruntime's encoder against wgformer's on one batch, in Node or in Chrome. Hidden states come to JavaScript.
import { load } from "../build/wgformer.mjs";
import { agreement, alternate, counted } from "../turns.mjs";
import { compare, inputsOf } from "./shapes.mjs";

const TOLERANCE = 1e-4;
const ORT_WEB = "../node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs";

/** `model`: bytes or an address. Returns `run(inputs)`, the numbers of its hidden states, and `release()`. */
export async function openEncoder(ort, model, provider = "webgpu") {
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 });
  const run = async ({ input_ids, attention_mask }) => {
    const [B, S] = [input_ids.length, input_ids[0].length];
    const tensor = (rows) => new ort.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, S]);
    const feeds = {
      input_ids: tensor(input_ids),
      attention_mask: new ort.Tensor("float32", Float32Array.from(attention_mask.flat()), [B, S]),
      token_type_ids: new ort.Tensor("int64", new BigInt64Array(B * S), [B, S]),
      position_ids: tensor([Array.from({ length: S }, (_, t) => t)]),
    };
    const named = session.inputNames.map((name) => [name, feeds[name]]);
    return (await session.run(Object.fromEntries(named))).last_hidden_state.data;
  };
  return { run, release: () => session.release() };
}

/** Compares hidden states, then times whole calls of both, outputs read back. No times when they disagree. */
export async function compareBatch({ model, theirs, batch, rounds, watch, count }) {
  const inputs = inputsOf(batch, model.architecture.V);
  const { last_hidden_state } = await model.forward(inputs);
  const call = () => theirs.run(inputs);
  const { result, count: dispatches } = count ? await count(call) : { result: await call() };
  if (dispatches === 0) throw new Error("encoder: the rival must give its work to the GPU, it dispatched nothing");
  const { within, failed } = agreement(() => compare(last_hidden_state, result, batch, TOLERANCE));
  if (failed) return { failed };
  const timed = await alternate(rounds, () => model.forward(inputs), call, watch);
  return {
    theirs: timed.map((one) => one.theirs),
    ours: timed.map((one) => one.ours),
    others: watch && timed.map((one) => one.others),
    rounds,
    outputs: `states ${within}`,
    note: dispatches && `theirs of ${dispatches} dispatches`,
  };
}

/** In Chrome: opens both models of a folder; returns the adapter's name. */
export async function open(folder) {
  const model = await load(new URL(folder, location.href));
  globalThis.encoders = { model, theirs: await openEncoder(await import(ORT_WEB), `${folder}model.onnx`) };
  return model.gpu.info.description;
}

/** In Chrome: a batch by both models. */
export const measure = (batch, rounds) => compareBatch({ ...globalThis.encoders, batch, rounds, count: counted });
