import type { Core } from "../src/model/core.js";
import { encodeAll } from "../src/model/encode/batches.js";
import type { EncoderInput } from "../src/model/inputs.js";
import { encoder } from "../src/model/graph/encoder.js";
import { bert } from "../src/model/families/bert.js";
import { countLaunches, type Plan, record } from "../src/runtime/plan.js";
import { tensor } from "../src/runtime/tensor.js";
import { randoms } from "../tests/support/harness.js";
import type { Bench, Context } from "./support/measure.js";
import { spread } from "./support/time.js";
import { openRandom } from "./support/random_model.js";

const MODELS = {
  minilm: { hidden_size: 384, num_attention_heads: 12, num_hidden_layers: 6, intermediate_size: 1536 },
  "bert-base": { hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, intermediate_size: 3072 },
} as const;
const COMMON = {
  model_type: "bert",
  vocab_size: 30522,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
};
const SHORTEST = 5;
const LONGEST_MS = 10e3; // of one call; slower shapes are skipped, by the rate measured so far
const SAMPLING_MS = 2e3;
const FULL = { last_hidden_state: true };
function planOf(core: Core, lengths: readonly number[]): Plan {
  const N = lengths.reduce((sum, length) => sum + length, 0);
  const [rows, spans] = [tensor("rows", "u32", [N, 4]), tensor("spans", "u32", [lengths.length, 2])];
  return record("encoder", (run) => void encoder(run, core, { rows, spans }));
}

const flopsOf = ({ launches }: Plan): number => launches.reduce((sum, { kernel, dims }) => sum + kernel.flops(dims), 0);

/** Milliseconds of whole calls, from packing the rows to reading hidden states back. */
async function timeCalls(core: Core, rows: readonly EncoderInput[]): Promise<number[]> {
  const samples: number[] = [];
  let spent = 0;
  while (samples.length < 4 || (spent < SAMPLING_MS && samples.length < 12)) {
    const start = performance.now();
    await encodeAll(core, rows, FULL);
    samples.push(performance.now() - start);
    spent += samples[samples.length - 1];
    if (spent > LONGEST_MS && samples.length > 1) break;
  }
  return samples.slice(1); // the first one compiles and allocates
}

async function checkPacking(core: Core, rows: readonly EncoderInput[]): Promise<void> {
  const together = await encodeAll(core, rows, FULL);
  const [alone] = await encodeAll(core, [rows[rows.length - 1]], FULL);
  const packed = together[rows.length - 1].last_hidden_state;
  if (!alone.last_hidden_state.every((value, i) => Math.abs(value - packed[i]) < 1e-4))
    throw new Error("encoder: not timed, a sentence in a batch differs from the sentence alone");
}

async function measureModel({ gpu, roofs, report, skip }: Context, model: keyof typeof MODELS): Promise<void> {
  const core = openRandom(gpu, bert, { ...COMMON, ...MODELS[model] });
  const random = randoms(11);
  const sentence = (length: number): EncoderInput => ({
    ids: Array.from({ length }, () => Math.floor((random() + 1) * 15000)),
  });
  let rate = 2e6; // flops a millisecond, before any is measured
  await checkPacking(core, [9, 5, 7].map(sentence));
  for (const S of [32, 128, 512]) {
    for (const B of [1, 8, 32]) {
      const ragged = Array.from({ length: B }, () => SHORTEST + Math.floor(((random() + 1) / 2) * (S - SHORTEST + 1)));
      const shapes = {
        "full length": ragged.map(() => S),
        ragged,
        "ragged, padded": ragged.map(() => Math.max(...ragged)),
      };
      const medians: Record<string, number> = {};
      for (const [kind, lengths] of Object.entries(shapes)) {
        const shape = `${model} S=${S} B=${B} ${kind}`;
        const plan = planOf(core, lengths);
        const flops = flopsOf(plan);
        if (flops / rate > LONGEST_MS) {
          skip("encoder", shape, `a call would take about ${(flops / rate / 1e3).toFixed(0)} s`);
          continue;
        }
        const us = spread((await timeCalls(core, lengths.map(sentence))).map((ms) => 1e3 * ms));
        const [layer, outside] = [countLaunches(plan, "encoder.layers.0"), plan.launches.length];
        const roof_percent = (100 * flops) / roofs.gflop_s / 1e3 / us.median;
        medians[kind] = us.median;
        rate = Math.max(1e6, (1e3 * flops) / us.median);
        const saved =
          kind === "ragged, padded" && medians.ragged
            ? `, packed ${(us.median / medians.ragged).toFixed(2)} times as fast`
            : "";
        report(
          { bench: "encoder", shape, us, sequences_s: (1e6 * B) / us.median, roof_percent, launches_layer: layer },
          `encoder             ${shape.padEnd(40)}${(us.median / 1e3).toFixed(1).padStart(9)} ms` +
            `${((1e6 * B) / us.median).toFixed(1).padStart(9)} sequences/s${roof_percent.toFixed(0).padStart(5)} % of roof` +
            `  ${layer} launches a layer, ${outside} in all${saved}`,
        );
      }
    }
  }
  core.idle.dispose();
  gpu.memory.free(core.weights.tensors);
}

/** Encoders of BERT's architecture on batches of equal length, and on ragged batches: packed, and padded to the longest. */
export const bench: Bench = {
  async run(context) {
    for (const model of Object.keys(MODELS) as (keyof typeof MODELS)[]) await measureModel(context, model);
  },
};
