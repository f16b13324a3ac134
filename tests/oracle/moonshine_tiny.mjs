// Makes tests/fixtures/moonshine-tiny.json: what onnxruntime makes of the recordings with the int8 ONNX model of the npm
// package, from which models/moonshine-tiny is converted. Needs the packages of bench/peers and `npm` and `tar`.
//
//   node tests/oracle/moonshine_tiny.mjs
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

const root = new URL("../../", import.meta.url);
const { InferenceSession, Tensor } = createRequire(new URL("bench/peers/", root))("onnxruntime-node");
const [START, END, LAYERS, TOP] = [1, 2, 6, 6]; // TOP: logits that are kept of a step

const folder = mkdtempSync(`${tmpdir()}/moonshine-`);
const archive = execFileSync("npm", ["pack", "@moonshine-ai/moonshine-js@0.1.29", "--silent"], {
  cwd: folder,
}).toString();
execFileSync("tar", ["-xzf", archive.trim()], { cwd: folder });
const open = (name) => InferenceSession.create(`${folder}/package/dist/model/tiny/quantized/${name}.onnx`);
const [encoder, decoder] = [await open("encoder_model"), await open("decoder_model_merged")];

function readSamples(name) {
  const bytes = readFileSync(new URL(`tests/fixtures/audio/${name}.wav`, root));
  const first = bytes.indexOf("data") + 8;
  return Float32Array.from({ length: (bytes.length - first) / 2 }, (_, i) => bytes.readInt16LE(first + 2 * i) / 32768);
}

const empty = Object.fromEntries(
  Array.from({ length: LAYERS }, (_, layer) =>
    ["decoder.key", "decoder.value", "encoder.key", "encoder.value"].map((kind) => [
      `past_key_values.${layer}.${kind}`,
      new Tensor("float32", new Float32Array(), [0, 8, 1, 36]),
    ]),
  ).flat(),
);

/** Logits after each of the rows, which are read anew: no cache. */
async function logitsOf(states, rows) {
  const [T, S, D] = [rows[0].length, states.dims[1], states.dims[2]];
  const repeated = new Float32Array(rows.length * S * D);
  rows.forEach((_, r) => repeated.set(states.data, r * S * D));
  const { logits } = await decoder.run({
    input_ids: new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, T]),
    encoder_hidden_states: new Tensor("float32", repeated, [rows.length, S, D]),
    use_cache_branch: new Tensor("bool", [false]),
    ...empty,
  });
  const V = logits.dims[2];
  return rows.map((_, r) => logits.data.subarray((r * T + T - 1) * V, (r + 1) * T * V));
}

const best = (values, count) =>
  Array.from(values.keys())
    .sort((a, b) => values[b] - values[a])
    .slice(0, count);

async function greedy(states, most) {
  const row = [START];
  const steps = [];
  while (row.length <= most && row.at(-1) !== END) {
    const [logits] = await logitsOf(states, [row]);
    const ids = best(logits, TOP);
    steps.push({ ids, logits: ids.map((id) => Number(logits[id].toFixed(3))) });
    row.push(ids[0]);
  }
  return { row, steps };
}

/** Beam search as Transformers does it, with length_penalty 1 and early_stopping false. */
async function beams(states, W, most) {
  let open = [{ row: [START], sum: 0 }];
  const closed = [];
  const mean = ({ row, sum }) => sum / (row.length - 1);
  while (open[0].row.length <= most) {
    const logits = await logitsOf(
      states,
      open.map(({ row }) => row),
    );
    const next = open.flatMap(({ row, sum }, w) => {
      const norm = Math.log(logits[w].reduce((total, x) => total + Math.exp(x), 0));
      return best(logits[w], 2 * W).map((id) => ({ row: [...row, id], sum: sum + logits[w][id] - norm }));
    });
    next.sort((a, b) => b.sum - a.sum);
    closed.push(...next.slice(0, W).filter(({ row }) => row.at(-1) === END));
    closed.sort((a, b) => mean(b) - mean(a)).splice(W);
    open = next.filter(({ row }) => row.at(-1) !== END).slice(0, W);
    if (closed.length === W && mean(closed[W - 1]) >= mean(open[0])) break;
  }
  return closed[0].row;
}

const recordings = {};
for (const name of ["jfk", "coffee", "train"]) {
  const samples = readSamples(name);
  const input_values = new Tensor("float32", samples, [1, samples.length]);
  const { last_hidden_state: states } = await encoder.run({ input_values });
  const most = Math.ceil((samples.length / 16000) * 6.5);
  const { row, steps } = await greedy(states, most);
  recordings[name] = { samples: samples.length, greedy: row, beams: await beams(states, 5, most), steps };
}
const source = "onnxruntime-node 1.30.0, CPU; int8 model of @moonshine-ai/moonshine-js 0.1.29";
writeFileSync(new URL("tests/fixtures/moonshine-tiny.json", root), `${JSON.stringify({ source, recordings })}\n`);
