// What users of the package load, minified and with gzip, as JSON: node tests/consumers/sizes.mjs
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

/** @import { OutputChunk } from "rolldown" */

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const entry = "program.js";

const ENCODER = ["model/load", "model/families/bert", "model/text/tokenizer"];
const DECODER = ["model/load", "model/families/gpt2", "model/text/tokenizer", "model/decode/calls"];
/** What a program imports, and the rooms that it then enters. @type {Record<string, readonly string[]>} */
const PROGRAMS = {
  gpu: [],
  load: ["model/load", "model/families/bert"],
  featureExtraction: [...ENCODER, "model/tasks/feature_extraction"],
  tokenClassification: [...ENCODER, "model/tasks/token_classification"],
  textGeneration: [...DECODER, "model/tasks/generation"],
  speechRecognition: [
    "model/load",
    "model/families/whisper",
    "model/text/tokenizer",
    "model/decode/calls",
    "model/tasks/speech_recognition",
  ],
};

/** The chunks that Vite would make of a program. @param {string} program */
async function bundle(program) {
  const bundled = await rolldown({
    input: entry,
    platform: "browser",
    external: ["webgpu"],
    plugins: [
      {
        name: "program",
        resolveId: (id) => (id === entry ? dist + entry : undefined),
        load: (id) => (id === dist + entry ? program : undefined),
      },
    ],
  });
  const { output } = await bundled.generate({ format: "esm", minify: true, comments: false });
  await bundled.close();
  return output.filter((one) => one.type === "chunk");
}

/** Bytes of chunks with gzip. @param {Iterable<OutputChunk>} chunks */
const bytes = (chunks) => [...chunks].reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0);

/** The chunks that a program loads: its own, those of the rooms, and what they import. */
function loaded(/** @type {readonly OutputChunk[]} */ chunks, /** @type {readonly string[]} */ rooms) {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  /** @type {Set<OutputChunk>} */
  const found = new Set();
  const add = (/** @type {OutputChunk | undefined} */ chunk) => {
    if (!chunk || found.has(chunk)) return;
    found.add(chunk);
    for (const name of chunk.imports) add(byName.get(name));
  };
  add(chunks.find(({ isEntry }) => isEntry));
  for (const room of rooms) {
    const home = chunks.find(({ moduleIds }) => moduleIds.includes(`${dist}${room}.js`));
    if (!home) throw new Error(`${room} must be in a chunk`);
    add(home);
  }
  return found;
}

/** @type {Record<string, number>} */
const sizes = {};
for (const [name, rooms] of Object.entries(PROGRAMS)) {
  const chunks = await bundle(`export { ${name} } from "${dist}index.js";`);
  sizes[name] = bytes(loaded(chunks, rooms));
}
sizes.everything = bytes(await bundle(`export * from "${dist}index.js";`));
console.log(JSON.stringify(sizes));
