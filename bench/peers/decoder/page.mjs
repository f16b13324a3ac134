// Runs in Chrome: transformers.js and wgformer continue the same prompts, in turn; run.mjs reads what it returns.
import { AutoModelForCausalLM, env, Tensor } from "../node_modules/@huggingface/transformers/dist/transformers.min.js";
import { load } from "../build/wgformer.mjs";
import { alternate, counted, verifyGolden } from "../turns.mjs";

env.allowLocalModels = true;
env.allowRemoteModels = false;
env.localModelPath = "/bench/peers/build/";
env.useBrowserCache = false;
env.backends.onnx.wasm.wasmPaths = "/bench/peers/node_modules/onnxruntime-web/dist/";

const flat = (rows) => BigInt64Array.from(rows.flat(), BigInt);

/** Both models, after wgformer's has given what its reference case says. */
export async function open(golden) {
  const adapter = await navigator.gpu.requestAdapter();
  const ours = await load(new URL("/models/gpt2-brown/", location.href));
  await verifyGolden(ours, golden);
  const theirs = await AutoModelForCausalLM.from_pretrained("gpt2-brown", { dtype: "fp32", device: "webgpu" });
  const { vendor, architecture, device, description } = adapter.info;
  globalThis.peers = { ours, theirs };
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ");
  return { adapter: name, used: ours.gpu.info.description };
}

const generateTheirs = async (prompts, options) => {
  const dims = [prompts.length, prompts[0].length];
  const inputs = {
    input_ids: new Tensor("int64", flat(prompts), dims),
    attention_mask: new Tensor("int64", flat(prompts.map((row) => row.map(() => 1))), dims),
  };
  const sequences = await globalThis.peers.theirs.generate({ ...inputs, do_sample: false, ...options });
  return sequences.tolist().map((row) => row.map(Number));
};

const generateOurs = async (prompts, options) =>
  (await globalThis.peers.ours.generate({ input_ids: prompts }, options)).sequences;

/** Both continuations with their dispatches, and the times of as many rounds. */
export async function measure(prompts, options, rounds) {
  const runs = { ours: () => generateOurs(prompts, options), theirs: () => generateTheirs(prompts, options) };
  const [ours, theirs] = [await counted(runs.ours), await counted(runs.theirs)];
  return {
    sequences: { ours: ours.result, theirs: theirs.result },
    dispatches: { ours: ours.count, theirs: theirs.count },
    timed: rounds > 0 ? await alternate(rounds, runs.ours, runs.theirs) : [],
  };
}
