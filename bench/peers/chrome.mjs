// transformers.js continuing prose with gpt2-brown in headless Chrome, on its software adapter, against generate().
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { chromium } from "playwright-core";
import { gpt2Decoder } from "./graphs.mjs";
import { here, models, readCases } from "./harness.mjs";

const FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const NEW_TOKENS = 16;
const PROMPT = 8; // tokens
const CASES = [{ B: 1, rounds: 5 }, { B: 8, rounds: 3 }];
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };

/** The model as transformers.js wants it. */
function exportModel() {
  const folder = `${here}build/gpt2-brown/`;
  mkdirSync(`${folder}onnx`, { recursive: true });
  for (const name of ["config.json", "generation_config.json"]) {
    copyFileSync(`${models}gpt2-brown/${name}`, folder + name);
  }
  writeFileSync(`${folder}onnx/model.onnx`, gpt2Decoder(`${models}gpt2-brown`));
}

/** This folder and the models, with byte ranges, isolated so that wasm may have threads. */
function serve() {
  const server = createServer(({ url, headers: { range } }, response) => {
    const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", TYPES[extname(path)] ?? "text/html");
    if (path === "/index.html") return response.end("<!doctype html>");
    const file = path.startsWith("/models/") ? models + path.slice(8) : here + path.slice(1);
    if (path.includes("..") || !existsSync(file)) return response.writeHead(404).end();
    const bytes = readFileSync(file);
    const [, start, end] = range?.match(/^bytes=(\d+)-(\d*)$/) ?? [];
    if (start === undefined) return response.end(bytes);
    const last = Math.min(end ? Number(end) : Infinity, bytes.length - 1);
    response.writeHead(206, { "Content-Range": `bytes ${start}-${last}/${bytes.length}` });
    return response.end(bytes.subarray(Number(start), last + 1));
  });
  return new Promise((resolve) => server.listen(0, "localhost", () => resolve(server)));
}

export async function measureChrome(report, executablePath) {
  exportModel();
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.log(`Chrome: ${error.message}`));
  const call = (name, ...args) =>
    page.evaluate(async ([f, list]) => (await import("/page.mjs"))[f](...list), [name, args]);
  try {
    await page.goto(`http://localhost:${server.address().port}/index.html`);
    const golden = readCases("gpt2-brown").find(({ name }) => name === "greedy-ragged-batch");
    const { adapter, used } = await call("open", golden);
    const { version } = JSON.parse(readFileSync(`${here}node_modules/@huggingface/transformers/package.json`, "utf8"));
    console.log(`Chrome ${browser.version()}, ${adapter} (wgformer: ${used}); transformers.js ${version}\n`);
    const width = golden.inputs.input_ids[0].length;
    const prompts = golden.expected.sequences.map((row) => row.slice(width, width + PROMPT)); // of one length
    const options = { max_new_tokens: NEW_TOKENS };
    for (const { B, rounds } of CASES) {
      const { sequences, dispatches, timed } =
        await call("measure", prompts.slice(0, B), { ...options, num_beams: 1 }, rounds);
      if (!same(sequences.ours, sequences.theirs)) throw new Error(`not timed, B=${B}: ${JSON.stringify(sequences)}`);
      const [theirDispatches, ourDispatches] =
        [dispatches.theirs, dispatches.ours].map((count) => Math.round(count / NEW_TOKENS));
      report({
        rival: "transformers.js, WebGPU in Chrome", setting: `gpt2-brown greedy, a step at B=${B}`,
        theirs: timed.map(({ theirs }) => theirs / NEW_TOKENS), ours: timed.map(({ ours }) => ours / NEW_TOKENS),
        rounds, outputs: "same tokens", note: `${theirDispatches} and ${ourDispatches} dispatches a step`,
      });
    }
    const one = prompts.slice(0, 1);
    const greedy = await call("measure", one, { ...options, num_beams: 1 }, 0);
    const beams = await call("measure", one, { ...options, num_beams: 4 }, 0);
    const verdict = (who) =>
      same(greedy.sequences[who], beams.sequences[who]) ? "the greedy tokens" : "other tokens than greedy";
    console.log(`num_beams: 4 gives ${verdict("theirs")} in transformers.js, ${verdict("ours")} in wgformer`);
  } finally {
    await browser.close();
    server.close();
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
