// FasterTransformer's table: onnxruntime-node's WebGPU provider in a beam loop of JavaScript, and the same loop over our
// Decoder, against our Decoding.
import { mkdirSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";
import { FT, ftDecoder, ftMemory, hostBeams, hostLoop, load, storedTensors } from "../build/ft.mjs";
import { here, watchOthers } from "../harness.mjs";
import { provePlacement } from "../placement.mjs";
import { alternate } from "../turns.mjs";
import { ftCross, ftStep } from "./graphs.mjs";

// What software adapters can do: at B=8 W=4 and beyond the rival takes minutes a call.
const CASES = [
  { B: 1, W: 1, S: 32, rounds: 5 },
  { B: 1, W: 4, S: 32, rounds: 5 },
  { B: 8, W: 1, S: 32, rounds: 3 },
];
const STEPS = 16; // of each call: a step costs about the same wherever it is
const NOWHERE = -1e9; // added to the scores of padding

/** The tensors of a safetensors file as the graphs read them; `transposed` turns [O,I] into [I,O]. */
function readable(file) {
  const tensors = storedTensors(file);
  const read = (name) => {
    const { shape, data } = tensors[name] ?? tensors[name.replace(/^model\./, "")];
    return { shape, data: new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4) };
  };
  const transposed = (name) => {
    const {
      shape: [O, I],
      data,
    } = read(name);
    return { shape: [I, O], data: data.map((_, at) => data[(at % O) * I + Math.floor(at / O)]) };
  };
  return { read, transposed };
}

const CACHE = Array.from({ length: FT.L }, (_, l) =>
  ["key", "value"].map((part) => `present.${l}.decoder.${part}`),
).flat();
const asPast = (outputs) =>
  Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name.replace("present", "past_key_values"), t]));
const release = (tensors) => Object.values(tensors).forEach((t) => t.location === "gpu-buffer" && t.dispose());
const gpu = (kept) => ({ executionProviders: ["webgpu"], logSeverityLevel: 3, preferredOutputLocation: kept });
const int64 = (values, dims) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), dims);

/** The loop of a caller of onnxruntime: the cache stays on the GPU, logits come to JavaScript every step. */
async function rivalLoop({ cross, step }, { encoder_outputs }, { B, W, S }) {
  const { last_hidden_state, attention_mask } = encoder_outputs;
  const R = B * W;
  const rows = Array.from({ length: R }, (_, r) => Math.floor(r / W));
  const size = S * FT.D;
  const states = new Float32Array(R * size);
  rows.forEach((b, r) => states.set(last_hidden_state.data.subarray(b * size, (b + 1) * size), r * size));
  const seen = Float32Array.from(rows.flatMap((b) => attention_mask[b].map((bit) => (bit ? 0 : NOWHERE))));
  const source = asPast(await cross.run({ encoder_hidden_states: new ort.Tensor("float32", states, [R, S, FT.D]) }));
  const encoder_attention_bias = new ort.Tensor("float32", seen, [R, 1, 1, S]);
  let past = Object.fromEntries(
    CACHE.map((name) => [
      name.replace("present", "past_key_values"),
      new ort.Tensor("float32", new Float32Array(0), [R, FT.H, 0, FT.E]),
    ]),
  );
  let position = 0;
  const found = await hostBeams({ B, W, steps: STEPS, start: FT.start }, async (ids, parents) => {
    const { logits, ...present } = await step.run({
      input_ids: int64(ids, [R, 1]),
      position_ids: int64([position++], [1]),
      ...(W > 1 && {
        parents: int64(
          parents.map((w, r) => r - (r % W) + w),
          [R],
        ),
      }),
      encoder_attention_bias,
      ...source,
      ...past,
    });
    release(past);
    past = asPast(present);
    return logits.data;
  });
  release({ ...past, ...source });
  return found.sequences;
}

export async function measureFt(report, limit = Infinity) {
  mkdirSync(`${here}build`, { recursive: true });
  const source = await ftDecoder();
  const checkpoint = readable(await source("model.safetensors"));
  const model = await load(source);
  const [positions] = await model.gpu.read(model.weights.get("decoder.embed_positions.weight"));
  console.log(`wgformer: ${model.gpu.info.description}\n`);
  for (const beams of [false, true]) {
    const file = `${here}build/ft${beams ? ".beams" : ""}.onnx`;
    writeFileSync(file, ftStep(checkpoint, FT, positions, beams));
    provePlacement(file, beams ? "with beams" : "greedy");
    const rival = {
      cross: await ort.InferenceSession.create(ftCross(checkpoint, FT), gpu("gpu-buffer")),
      step: await ort.InferenceSession.create(file, gpu(Object.fromEntries(CACHE.map((name) => [name, "gpu-buffer"])))),
    };
    for (const size of CASES.filter(({ W }) => W > 1 === beams)) {
      const { B, W, S } = size;
      const inputs = { encoder_outputs: ftMemory(B, S) };
      const decoding = () => model.generate(inputs, { num_beams: W, max_new_tokens: STEPS });
      const { sequences } = await decoding();
      const rivals = {
        "onnxruntime-node, WebGPU, JS loop": () => rivalLoop(rival, inputs, size),
        "wgformer's Decoder, JS loop": async () =>
          (await hostLoop(model, inputs, { B, W, steps: STEPS, start: FT.start })).sequences,
      };
      for (const [name, loop] of Object.entries(rivals)) {
        const setting = `B=${B} W=${W} S=${S}, a step`;
        const theirs = await loop();
        const odd = theirs.findIndex((row, b) => row.join() !== sequences[b].slice(1).join());
        if (odd >= 0) {
          report({ rival: name, setting, failed: `tokens of row ${odd} differ` });
          continue;
        }
        const rounds = Math.min(size.rounds, limit);
        const timed = await alternate(rounds, decoding, loop, watchOthers);
        report({
          rival: name,
          setting,
          theirs: timed.map((one) => one.theirs / STEPS),
          ours: timed.map((one) => one.ours / STEPS),
          others: timed.map((one) => one.others),
          rounds,
          outputs: "same tokens",
        });
      }
    }
    await Promise.all(Object.values(rival).map((session) => session.release()));
  }
  model.dispose();
}
