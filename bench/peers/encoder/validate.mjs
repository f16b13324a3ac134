// At a tiny size: graphs on onnxruntime's CPU provider and wgformer must give what plain f64 gives.
import { mkdirSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";
import { here } from "../harness.mjs";
import { provePlacement } from "../placement.mjs";
import { randomBert, writeCheckpoint } from "./checkpoint.mjs";
import { bertGraph, FORMS } from "./graph.mjs";
import { openEncoder } from "./ort.mjs";
import { referenceStates } from "./reference.mjs";
import { compare, inputsOf, SHAPES, TINY } from "./shapes.mjs";

const TOLERANCE = 2e-5;
const FULL = { lengths: [20, 20] };

/** Padded as a model gives it. */
function referenceOf(bert, { lengths }, { input_ids }) {
  const { hidden_size: D } = bert.config;
  const S = input_ids[0].length;
  const data = new Float64Array(lengths.length * S * D);
  lengths.forEach((length, b) => data.set(referenceStates(bert, input_ids[b].slice(0, length)).flat(), b * S * D));
  return { dims: [lengths.length, S, D], data };
}

/** Throws when a graph or wgformer differs from f64, or when a graph is not all on WebGPU. */
export async function validateTiny(load) {
  const bert = randomBert(SHAPES.tiny);
  const folder = `${here}build/encoder/tiny`;
  mkdirSync(folder, { recursive: true });
  writeCheckpoint(folder, bert);
  const model = await load(folder);
  for (const batch of [TINY, FULL]) {
    const inputs = inputsOf(batch, SHAPES.tiny.vocab);
    const want = referenceOf(bert, batch, inputs);
    const check = (who, states) =>
      console.log(`${who}: within ${compare(want, states, batch, TOLERANCE).toExponential(1)} of f64 at a tiny size`);
    check("wgformer", (await model.forward(inputs)).last_hidden_state.data);
    for (const form of FORMS) {
      const bytes = bertGraph(bert, form, { masked: batch === TINY });
      const name = `${form}, ${batch === TINY ? "masked" : "unmasked"}`;
      const session = await openEncoder(ort, bytes, "cpu");
      check(`${name} graph, CPU provider`, await session.run(inputs));
      await session.release();
      const file = `${folder}/${name.replace(/[, ]+/g, "-")}.onnx`;
      writeFileSync(file, bytes);
      provePlacement(file, name);
    }
  }
  model.dispose();
}
