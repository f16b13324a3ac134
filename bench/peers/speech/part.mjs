// onnxruntime-node's WebGPU provider transcribing with Moonshine tiny, its states and cache on the GPU, against generate().
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ort from "onnxruntime-node";
import { makeModel, hasModel } from "../../../models/moonshine-tiny/convert.mjs";
import { load } from "../build/wgformer.mjs";
import { here, models, watchOthers } from "../harness.mjs";
import { provePlacement } from "../placement.mjs";
import { alternate } from "../turns.mjs";
import { speechCross, speechDecoder, speechEncoder } from "./graphs.mjs";

const RECORDINGS = { jfk: 9, coffee: 15, train: 15 }; // rounds of each
const TOLERANCE = 2e-3; // of logits near 20
const [START, END] = [1, 2];

const folder = `${models}moonshine-tiny`;
const recordings = fileURLToPath(new URL("../../../tests/fixtures/audio/", import.meta.url));
const built = `${here}build/`;

/** Samples of a WAV file of 16 bits. */
function readSamples(name) {
  const bytes = readFileSync(`${recordings}${name}.wav`);
  const first = bytes.indexOf("data") + 8;
  return Float32Array.from({ length: (bytes.length - first) / 2 }, (_, i) => bytes.readInt16LE(first + 2 * i) / 32768);
}

/** Cosines and signed sines [T,1,E] from a position on; the numbers of a head that are not rotated have 1 and 0. */
function rotations({ E, rotated }, T, first = 0) {
  const fill = (value) =>
    Float32Array.from({ length: T * E }, (_, i) => {
      const [position, e] = [first + Math.floor(i / E), i % E];
      return value(position * 10000 ** ((-2 * Math.floor(e / 2)) / rotated), e);
    });
  const tensor = (data) => new ort.Tensor("float32", data, [T, 1, E]);
  return {
    cosines: tensor(fill((angle, e) => (e < rotated ? Math.cos(angle) : 1))),
    sines: tensor(fill((angle, e) => (e < rotated ? (e % 2 ? 1 : -1) * Math.sin(angle) : 0))),
  };
}

const release = (tensors) => Object.values(tensors).forEach((t) => t.location === "gpu-buffer" && t.dispose());
const asPast = (outputs) =>
  Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name.replace("present", "past_key_values"), t]));

async function openRival(shape, { provider, fused }) {
  const open = (name, graph, kept) => {
    const file = `${built}moonshine.${name}.onnx`;
    writeFileSync(file, graph);
    if (provider === "webgpu") provePlacement(file, name);
    const plain = { executionProviders: [provider], logSeverityLevel: 3 };
    return ort.InferenceSession.create(file, provider === "cpu" ? plain : { ...plain, preferredOutputLocation: kept });
  };
  const kept = Object.fromEntries(shape.cache.map((name) => [name, "gpu-buffer"]));
  return {
    encoder: await open("encoder", speechEncoder(folder), "gpu-buffer"),
    cross: await open("cross", speechCross(folder), "gpu-buffer"),
    decoder: await open(`decoder${fused ? ".fused" : ""}`, speechDecoder(folder, { fused }), kept),
  };
}

/** A whole transcription, greedy, as transformers.js does it: logits come to JavaScript every step. */
async function transcribe({ encoder, cross, decoder }, shape, samples, rows) {
  const input_values = new ort.Tensor("float32", samples, [1, samples.length]);
  const { last_hidden_state } = await encoder.run({ input_values, ...rotations(shape, rows) });
  const source = asPast(await cross.run({ encoder_hidden_states: last_hidden_state }));
  release({ last_hidden_state });
  const { H, E } = shape;
  const empty = () => new ort.Tensor("float32", new Float32Array(0), [1, H, 0, E]);
  let past = asPast(Object.fromEntries(shape.cache.map((name) => [name, empty()])));
  const [tokens, all] = [[START], []];
  while (tokens.at(-1) !== END && tokens.length < shape.most) {
    const { logits, ...present } = await decoder.run({
      input_ids: new ort.Tensor("int64", BigInt64Array.of(BigInt(tokens.at(-1))), [1, 1]),
      ...rotations(shape, 1, tokens.length - 1),
      ...source,
      ...past,
    });
    release(past);
    past = asPast(present);
    const { data } = logits;
    let best = 0;
    for (let id = 1; id < data.length; id++) if (data[id] > data[best]) best = id;
    tokens.push(best);
    all.push(data);
  }
  release(past);
  release(source);
  return { tokens, all };
}

/** Largest difference of a logit from wgformer's. Throws when they, or the tokens, are not the same. */
async function compare(model, samples, { tokens, all }) {
  const { sequences } = await model.generate({ input_values: [samples] });
  if (sequences[0].join() !== tokens.join())
    throw new Error(`not timed, tokens are ${tokens} there, ${sequences[0]} here`);
  const decoder_input_ids = [tokens.slice(0, -1)];
  const { data } = (await model.forward({ input_values: [samples], decoder_input_ids })).logits;
  let worst = 0;
  all.forEach((row, t) =>
    row.forEach((value, id) => (worst = Math.max(worst, Math.abs(value - data[t * row.length + id])))),
  );
  if (!(worst < TOLERANCE)) throw new Error(`not timed, logits differ by ${worst}, allowed are ${TOLERANCE}`);
  return worst;
}

const RIVALS = [
  { name: "onnxruntime-node, WebGPU", provider: "webgpu", fused: false },
  { name: "onnxruntime-node, fused attention", provider: "webgpu", fused: true },
  { name: "onnxruntime-node, CPU provider", provider: "cpu", fused: false },
];

export async function measureSpeech(report, limit = Infinity) {
  mkdirSync(built, { recursive: true });
  if (!hasModel()) makeModel();
  const model = await load(folder);
  console.log(`wgformer: ${model.gpu.info.description}\n`);
  const { H, E, depth, rotary, P } = model.architecture.decoder;
  const cache = Array.from({ length: depth }, (_, l) => ["key", "value"].map((part) => `present.${l}.decoder.${part}`));
  const shape = { H, E, rotated: 2 * rotary.frequencies.length, most: P, cache: cache.flat() };
  for (const rival of RIVALS) {
    const sessions = await openRival(shape, rival);
    for (const [name, most] of Object.entries(RECORDINGS)) {
      const samples = readSamples(name);
      const { dims } = (await model.encode({ input_values: [samples] })).last_hidden_state;
      const run = () => transcribe(sessions, shape, samples, dims[1]);
      const first = await run();
      const worst = await compare(model, samples, first);
      const rounds = Math.min(most, limit);
      const timed = await alternate(rounds, () => model.generate({ input_values: [samples] }), run, watchOthers);
      report({
        rival: rival.name,
        setting: `moonshine-tiny, ${(samples.length / 16000).toFixed(1)} s of speech`,
        theirs: timed.map(({ theirs }) => theirs),
        ours: timed.map(({ ours }) => ours),
        others: timed.map(({ others }) => others),
        rounds,
        outputs: `same tokens, logits within ${worst.toExponential(1)}`,
        note: `${first.tokens.length - 1} tokens`,
      });
    }
    await Promise.all(Object.values(sessions).map((session) => session.release()));
  }
  model.dispose();
}
