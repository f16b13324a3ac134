// onnxruntime-node's WebGPU provider stepping decoders of Marian, their cache on the GPU, against generate().
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import ort from "onnxruntime-node";
import { load } from "../build/wgformer.mjs";
import { here, models, readCases, watchOthers } from "../harness.mjs";
import { provePlacement } from "../placement.mjs";
import { alternate, verifyGolden } from "../turns.mjs";
import { marianCross, marianDecoder } from "./graphs.mjs";

const CASES = [
  { name: "one-word-beam-4", rounds: 31 },
  { name: "beam-4-64", rounds: 9 },
];
const TOLERANCE = 1e-3;
const NOWHERE = -1e9; // added to the scores of padding

const built = `${here}build/`;

/** Heads of a checkpoint's decoder, and the names of its cache. */
function shapeOf(folder) {
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const parts = (l) => ["key", "value"].map((part) => `present.${l}.decoder.${part}`);
  return {
    heads: config.decoder_attention_heads,
    cache: Array.from({ length: config.decoder_layers }, (_, l) => parts(l)).flat(),
  };
}

async function openRival(folder, { provider, fused }) {
  const open = async (file, kept) => {
    const plain = { executionProviders: [provider], logSeverityLevel: 3 };
    if (provider === "cpu") return ort.InferenceSession.create(file, plain);
    return ort.InferenceSession.create(file, { ...plain, preferredOutputLocation: kept });
  };
  return {
    cross: await open(marianCross(folder), "gpu-buffer"),
    decoder: await open(
      marianDecoder(folder, { fused }),
      Object.fromEntries(shapeOf(folder).cache.map((name) => [name, "gpu-buffer"])),
    ),
  };
}

const asPast = (outputs) =>
  Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name.replace("present", "past_key_values"), t]));

const release = (tensors) => Object.values(tensors).forEach((t) => t.location === "gpu-buffer" && t.dispose());

/** What the rival is given: the encoder's states for every beam, and the tokens that each row is fed. */
async function sources(model, { inputs, expected }, steps) {
  const {
    last_hidden_state: {
      dims: [B, N, D],
      data,
    },
  } = await model.encode(inputs);
  const R = expected.sequences.length;
  const W = R / B;
  const states = new Float32Array(R * N * D);
  const bias = new Float32Array(R * N);
  for (let r = 0; r < R; r++) {
    const b = Math.floor(r / W);
    states.set(data.subarray(b * N * D, (b + 1) * N * D), r * N * D);
    bias.set(
      inputs.attention_mask[b].map((seen) => (seen ? 0 : NOWHERE)),
      r * N,
    );
  }
  const pad = model.generationDefaults.options.pad_token_id;
  const tokens = Array.from({ length: steps }, (_, t) => expected.sequences.map((row) => row[t] ?? pad));
  return { R, N, D, W, states, bias, tokens };
}

async function prepareSource({ cross }, { R, N, D, states }) {
  return asPast(await cross.run({ encoder_hidden_states: new ort.Tensor("float32", states, [R, N, D]) }));
}

/** Feeds all tokens as transformers.js does: the cache stays where it is, logits come to JavaScript every step. */
async function steps({ decoder }, { heads, cache }, given, source) {
  const { R, N, D, bias, tokens } = given;
  const empty = () => new ort.Tensor("float32", new Float32Array(0), [R, heads, 0, D / heads]);
  let past = asPast(Object.fromEntries(cache.map((name) => [name, empty()])));
  const all = [];
  for (const [t, ids] of tokens.entries()) {
    const { logits, ...present } = await decoder.run({
      input_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [R, 1]),
      position_ids: new ort.Tensor("int64", BigInt64Array.of(BigInt(t)), [1]),
      encoder_attention_bias: new ort.Tensor("float32", bias, [R, 1, 1, N]),
      ...source,
      ...past,
    });
    release(past);
    past = asPast(present);
    all.push(logits.data);
  }
  const { location } = Object.values(past)[0];
  release(past);
  return { all, location };
}

/** Largest difference of any logit from wgformer's own step by step decoder. */
async function compare(model, { inputs, options }, { W, tokens }, theirs) {
  const stepper = await model.decoder(trim(inputs), { max_length: options.max_length, num_beams: W });
  let worst = 0;
  for (const [t, ids] of tokens.entries()) {
    const { data } = await stepper.step(ids);
    data.forEach((value, at) => (worst = Math.max(worst, Math.abs(value - theirs[t][at]) || 0)));
    if (theirs[t].length !== data.length || theirs[t].some(Number.isNaN)) {
      throw new Error("not timed, logits are NaN or wrong in number");
    }
  }
  stepper.dispose();
  if (worst > TOLERANCE) throw new Error(`not timed, logits differ by ${worst}, allowed are ${TOLERANCE}`);
  return worst;
}

const trim = ({ input_ids, attention_mask }) => ({
  input_ids: input_ids.map((row, r) => row.filter((_, t) => attention_mask[r][t] === 1)),
});

// Attention in standard operators as exporters write it; in onnxruntime's own operator, the best it can do; and its CPU
// provider, which has no part in the claims: what one would run on a machine without a GPU.
const RIVALS = [
  { name: "onnxruntime-node, WebGPU", provider: "webgpu", fused: false },
  { name: "onnxruntime-node, fused attention", provider: "webgpu", fused: true },
  { name: "onnxruntime-node, CPU provider", provider: "cpu", fused: true },
];

/**
 * Measures cases of a checkpoint of Marian: what goes in, options, the sequences that come out, and the rounds. A file
 * of each graph is left in the folder of what was built.
 */
export async function measureMarian(report, { folder, name, cases }) {
  mkdirSync(built, { recursive: true });
  for (const { fused } of RIVALS.filter((one) => one.provider === "webgpu")) {
    const file = `${built}${basename(folder)}${fused ? ".fused" : ""}.onnx`;
    writeFileSync(file, marianDecoder(folder, { fused }));
    provePlacement(file);
  }
  const model = await load(folder);
  const shape = shapeOf(folder);
  console.log(`wgformer: ${model.gpu.info.description}\n`);
  for (const one of await cases(model)) {
    const { inputs, options, rounds } = one;
    const {
      stats: { steps: count },
    } = await model.generate(inputs, options);
    const given = await sources(model, one, count);
    for (const rival of RIVALS) {
      const sessions = await openRival(folder, rival);
      const source = await prepareSource(sessions, given);
      const { all, location } = await steps(sessions, shape, given, source);
      const worst = await compare(model, one, given, all);
      const timed = await alternate(
        rounds,
        () => model.generate(inputs, options),
        () => steps(sessions, shape, given, source),
        watchOthers,
      );
      release(source);
      await Promise.all(Object.values(sessions).map((session) => session.release()));
      report({
        rival: rival.name,
        setting: `${name}, a step at B=${given.R / given.W} W=${given.W}`,
        theirs: timed.map(({ theirs }) => theirs / count),
        ours: timed.map(({ ours }) => ours / count),
        loop: timed.map(
          ({
            returned: {
              stats: { ms },
            },
          }) => ms / (count - 1),
        ), // without the encoder, as theirs
        others: timed.map(({ others }) => others),
        rounds,
        outputs: `logits within ${worst.toExponential(1)}`,
        note: `cache: ${location}`,
      });
    }
  }
  model.dispose();
}

export const measureOrt = (report) =>
  measureMarian(report, {
    folder: `${models}g2p-en`,
    name: "g2p-en",
    async cases(model) {
      const found = CASES.map(({ name, rounds }) => ({
        ...readCases("g2p-en").find((one) => one.name === name),
        rounds,
      }));
      for (const golden of found) await verifyGolden(model, golden);
      return found.map((one) => ({ ...one, options: { num_beams: one.options.num_beams, max_length: 48 } }));
    },
  });
