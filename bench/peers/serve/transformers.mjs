// transformers.js in Node as a server: requests one after the other, or gathered in batches.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM, env, Tensor } from "@huggingface/transformers";
import { batchServer } from "../build/serve.mjs";
import { gpt2Decoder } from "../decoder/graphs.mjs";
import { here, models } from "../harness.mjs";
import { marianEncoder, marianMerged } from "./marian.mjs";

const built = `${here}build/serve/`;

/** The files of a model, and what opens it. An end token is there only where it ends answers. */
const KINDS = {
  "gpt2-brown": { opens: AutoModelForCausalLM, ends: false, graphs: { model: gpt2Decoder } },
  "g2p-en": {
    opens: AutoModelForSeq2SeqLM,
    ends: true,
    graphs: { encoder_model: marianEncoder, decoder_model_merged: marianMerged },
  },
};

/** The model as transformers.js wants it. */
function exportModel(name, { ends, graphs }) {
  mkdirSync(`${built}${name}/onnx`, { recursive: true });
  for (const file of ["config.json", "generation_config.json"]) {
    const { eos_token_id, ...rest } = JSON.parse(readFileSync(`${models}${name}/${file}`, "utf8"));
    writeFileSync(`${built}${name}/${file}`, JSON.stringify(ends ? { ...rest, eos_token_id } : rest));
  }
  for (const [graph, write] of Object.entries(graphs))
    writeFileSync(`${built}${name}/onnx/${graph}.onnx`, write(`${models}${name}`));
}

/** Rows of one width, padded on the left where the answer follows them, and their mask. */
function padRows(rows, pad, left) {
  const width = Math.max(...rows.map(({ length }) => length));
  const place = (row, fill) => {
    const rest = Array(width - row.length).fill(fill);
    return left ? [...rest, ...row] : [...row, ...rest];
  };
  const tensor = (all) => new Tensor("int64", BigInt64Array.from(all.flat(), BigInt), [rows.length, width]);
  const mask = rows.map((row) =>
    place(
      row.map(() => 1),
      0,
    ),
  );
  return { width, input_ids: tensor(rows.map((row) => place(row, pad))), attention_mask: tensor(mask) };
}

/** Opens a model on a provider, "webgpu" or "cpu". */
export async function openTransformers(device, { name, options: given }) {
  const folder = name.split(/[ ,]/)[0];
  const { opens, ends, graphs } = KINDS[folder];
  exportModel(folder, { ends, graphs });
  Object.assign(env, { allowLocalModels: true, allowRemoteModels: false, localModelPath: built });
  const model = await opens.from_pretrained(folder, { dtype: "fp32", device });
  const { eos_token_id: end, pad_token_id: pad } = model.generation_config;
  const run = async (requests, onTokens) => {
    const { width, ...inputs } = padRows(
      requests.map(({ ids }) => ids),
      pad,
      !ends,
    );
    const wanted = requests.map((request) => request.wanted ?? Infinity);
    const answers = requests.map(() => []);
    let prompt = true; // which a streamer is given first
    const take = ([id], row) => {
      const answer = answers[row];
      if (answer.length === wanted[row] || (ends && answer.at(-1) === end)) return;
      answer.push(Number(id));
      onTokens(row, 1, ends && Number(id) === end);
    };
    const streamer = { put: (rows) => (prompt ? (prompt = false) : rows.forEach(take)), end() {} };
    const longest = ends ? {} : { max_new_tokens: Math.max(...wanted) };
    await model.generate({ ...inputs, ...given, ...longest, do_sample: false, streamer });
    return answers;
  };
  return {
    name: `transformers.js in Node, ${device}`,
    answers: (requests) => run(requests, () => {}),
    servers: (size) => [
      batchServer(`transformers.js ${device}, one by one`, 1, run),
      batchServer(`transformers.js ${device}, static batch`, size, run),
    ],
    close: () => model.dispose(),
  };
}
