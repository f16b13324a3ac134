// transformers.js continuing prose with gpt2-brown in headless Chrome, on its software adapter, against generate().
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { inChrome } from "../browser.mjs";
import { here, models, readCases } from "../harness.mjs";
import { gpt2Decoder } from "./graphs.mjs";

const NEW_TOKENS = 16;
const PROMPT = 8; // tokens
const CASES = [
  { B: 1, rounds: 5 },
  { B: 8, rounds: 3 },
];

/** The model as transformers.js wants it. */
function exportModel() {
  const folder = `${here}build/gpt2-brown/`;
  mkdirSync(`${folder}onnx`, { recursive: true });
  for (const name of ["config.json", "generation_config.json"]) {
    copyFileSync(`${models}gpt2-brown/${name}`, folder + name);
  }
  writeFileSync(`${folder}onnx/model.onnx`, gpt2Decoder(`${models}gpt2-brown`));
}

export async function measureChrome(report) {
  exportModel();
  const golden = readCases("gpt2-brown").find(({ name }) => name === "greedy-ragged-batch");
  await inChrome("decoder/page.mjs", async (call, browser) => {
    const { adapter, used } = await call("open", golden);
    const { version } = JSON.parse(readFileSync(`${here}node_modules/@huggingface/transformers/package.json`, "utf8"));
    console.log(`Chrome ${browser}, ${adapter} (wgformer: ${used}); transformers.js ${version}\n`);
    const width = golden.inputs.input_ids[0].length;
    const prompts = golden.expected.sequences.map((row) => row.slice(width, width + PROMPT)); // of one length
    const options = { max_new_tokens: NEW_TOKENS };
    for (const { B, rounds } of CASES) {
      const { sequences, dispatches, timed } = await call(
        "measure",
        prompts.slice(0, B),
        { ...options, num_beams: 1 },
        rounds,
      );
      if (!same(sequences.ours, sequences.theirs)) throw new Error(`not timed, B=${B}: ${JSON.stringify(sequences)}`);
      const [theirDispatches, ourDispatches] = [dispatches.theirs, dispatches.ours].map((count) =>
        Math.round(count / NEW_TOKENS),
      );
      report({
        rival: "transformers.js, WebGPU in Chrome",
        setting: `gpt2-brown greedy, a step at B=${B}`,
        theirs: timed.map(({ theirs }) => theirs / NEW_TOKENS),
        ours: timed.map(({ ours }) => ours / NEW_TOKENS),
        rounds,
        outputs: "same tokens",
        note: `${theirDispatches} and ${ourDispatches} dispatches a step`,
      });
    }
    const one = prompts.slice(0, 1);
    const greedy = await call("measure", one, { ...options, num_beams: 1 }, 0);
    const beams = await call("measure", one, { ...options, num_beams: 4 }, 0);
    const verdict = (who) =>
      same(greedy.sequences[who], beams.sequences[who]) ? "the greedy tokens" : "other tokens than greedy";
    console.log(`num_beams: 4 gives ${verdict("theirs")} in transformers.js, ${verdict("ours")} in wgformer`);
  });
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
