// transformers.js in Node as a server of GPT-2: requests one after the other, or gathered in batches.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import { batchServer } from "../build/serve.mjs";
import { gpt2Decoder } from "../decoder/graphs.mjs";
import { here, models } from "../harness.mjs";

const NAME = "gpt2-brown-serve";
const built = `${here}build/`;

/** The model as transformers.js wants it, without an end token: answers are as long as requests want them. */
function exportModel() {
  const folder = `${built}${NAME}/`;
  mkdirSync(`${folder}onnx`, { recursive: true });
  copyFileSync(`${models}gpt2-brown/generation_config.json`, `${folder}generation_config.json`);
  for (const name of ["config.json", "generation_config.json"]) {
    const {
      eos_token_id: _,
      bos_token_id: __,
      ...rest
    } = JSON.parse(readFileSync(`${models}gpt2-brown/${name}`, "utf8"));
    writeFileSync(folder + name, JSON.stringify(rest));
  }
  writeFileSync(`${folder}onnx/model.onnx`, gpt2Decoder(`${models}gpt2-brown`));
}

/** Opens it on a provider, "webgpu" or "cpu". `batches(size)` is a server that gathers so many requests. */
export async function openTransformers(device) {
  exportModel();
  Object.assign(env, { allowLocalModels: true, allowRemoteModels: false, localModelPath: built });
  const model = await AutoModelForCausalLM.from_pretrained(NAME, { dtype: "fp32", device });
  const run = async (requests, onTokens) => {
    const width = Math.max(...requests.map(({ ids }) => ids.length));
    const padded = requests.map(({ ids }) => [...Array(width - ids.length).fill(0), ...ids]);
    const mask = requests.map(({ ids }) => [...Array(width - ids.length).fill(0), ...ids.map(() => 1)]);
    const tensor = (rows) => new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, width]);
    let prompt = true; // which a streamer is given first
    const streamer = {
      put: (rows) => (prompt ? (prompt = false) : rows.forEach((ids, row) => onTokens(row, ids.length))),
      end() {},
    };
    const longest = Math.max(...requests.map(({ wanted }) => wanted));
    const sequences = await model.generate({
      input_ids: tensor(padded),
      attention_mask: tensor(mask),
      do_sample: false,
      max_new_tokens: longest,
      streamer,
    });
    return sequences.tolist().map((row, r) => row.slice(width, width + requests[r].wanted).map(Number));
  };
  return {
    name: `transformers.js, ${device}`,
    answers: (requests) => run(requests, () => {}),
    single: () => batchServer(`transformers.js ${device}, one by one`, 1, run),
    batches: (size) => batchServer(`transformers.js ${device}, static batch`, size, run),
    close: () => model.dispose(),
  };
}
