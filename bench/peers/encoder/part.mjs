// Encoders of BERT's kind with random weights: onnxruntime in Node and in Chrome against wgformer's forward().
import { mkdirSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";
import { inChrome } from "../browser.mjs";
import { load } from "../build/wgformer.mjs";
import { here, watchOthers } from "../harness.mjs";
import { randomBert, writeCheckpoint } from "./checkpoint.mjs";
import { compareBatch, openEncoder } from "./compare.mjs";
import { bertGraph, FORMS } from "./graph.mjs";
import { validateTiny } from "./reference.mjs";
import { BATCHES, SHAPES } from "./shapes.mjs";

const ROUNDS = { node: 9, chrome: 3 };

const folderOf = (name) => `${here}build/encoder/${name}`;

/** Exporters write the mask always; the fused form has none where no batch needs it. */
function variants(batches) {
  return FORMS.flatMap((form) =>
    [false, true].map((masked) => ({
      form,
      masked,
      batches: batches.filter(({ ragged }) => masked === (form === "standard" || ragged)),
    })),
  ).filter((variant) => variant.batches.length);
}

async function measureInNode(report, rounds) {
  for (const [name, batches] of Object.entries(BATCHES.node)) {
    const bert = randomBert(SHAPES[name]);
    writeCheckpoint(folderOf(name), bert);
    const model = await load(folderOf(name));
    for (const { form, masked, batches: some } of variants(batches)) {
      const theirs = await openEncoder(ort, bertGraph(bert, form, { masked }));
      for (const batch of some) {
        const measured = await compareBatch({ model, theirs, batch, rounds, watch: watchOthers });
        report({ rival: `onnxruntime-node, ${form}`, setting: `${name} ${batch.name}`, ...measured });
      }
      await theirs.release();
    }
    model.dispose();
  }
}

async function measureInChrome(report, rounds) {
  for (const [name, batches] of Object.entries(BATCHES.chrome)) {
    const bert = randomBert(SHAPES[name]);
    mkdirSync(folderOf(name), { recursive: true });
    writeCheckpoint(folderOf(name), bert);
    for (const { form, masked, batches: some } of variants(batches)) {
      writeFileSync(`${folderOf(name)}/model.onnx`, bertGraph(bert, form, { masked }));
      await inChrome("encoder/compare.mjs", async (call, version) => {
        const adapter = await call("open", `/bench/peers/build/encoder/${name}/`);
        console.log(`Chrome ${version}, wgformer: ${adapter}; ${form}`);
        for (const batch of some) {
          const measured = await call("measure", batch, rounds);
          report({ rival: `onnxruntime-web, ${form}`, setting: `${name} ${batch.name}`, ...measured });
        }
      }).catch(({ message }) => console.error(`peers: onnxruntime-web, ${form}: ${message}`)); // other rows stay
    }
  }
}

export async function measureEncoder(report, rounds) {
  await validateTiny();
  await measureInNode(report, rounds ?? ROUNDS.node);
  await measureInChrome(report, rounds ?? ROUNDS.chrome);
}
