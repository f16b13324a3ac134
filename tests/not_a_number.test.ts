import {
  attention,
  attentionStep,
  attentionWeights,
  beamStep,
  dynamicRange,
  logitsProcess,
  logMel,
  pooling,
  rope,
  sample,
  sampleParts,
  topk,
  unfold,
} from "../src/kernels/index.js";
import { DONE, SENTENCE, sentenceWidth } from "../src/kernels/search_state.js";
import type { Kernel } from "../src/runtime/kernel.js";
import type { Tensor } from "../src/runtime/tensor.js";
import * as attentionArgs from "./attention.args.js";
import * as attentionStepArgs from "./attention_step.args.js";
import * as attentionWeightsArgs from "./attention_weights.args.js";
import * as beamStepArgs from "./beam_step.args.js";
import * as dynamicRangeArgs from "./dynamic_range.args.js";
import * as logMelArgs from "./log_mel.args.js";
import * as logitsProcessArgs from "./logits_process.args.js";
import * as poolingArgs from "./pooling.args.js";
import * as ropeArgs from "./rope.args.js";
import * as sampleArgs from "./sample.args.js";
import * as samplePartsArgs from "./sample_parts.args.js";
import { assert, device, randoms, suite } from "./support/harness.js";
import { type Args, recordLaunch } from "./support/launch.js";
import * as topkArgs from "./topk.args.js";
import * as unfoldArgs from "./unfold.args.js";

// Shader compilers may assume that every number is one, and max() may drop those that are none: what enters a kernel
// must come out of it, as NaN or as the mark of a fault, in every variant.
const test = suite("what is not a number comes out of every kernel");

type Size = Readonly<Record<string, number>>;

interface Table {
  args(size: Size, random: () => number): Args;
  values(size: Size): Size;
}

/** Runs all variants that can take a case, with NaN at one place of an argument; gives one output of each. */
async function outputs(
  typed: unknown,
  { args, values }: Table,
  size: Size,
  [argument, at]: readonly [string, number],
  output: string,
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const kernel = typed as Kernel;
  const gpu = await device();
  const found = new Map<string, ArrayLike<number>>();
  const { features, class: own } = { features: gpu.device.features, class: gpu.class };
  for (const variant of kernel.variants) {
    const filled = args(size, randoms(5));
    filled[argument]!.data[at] = NaN;
    const { launch, inputs, outputs: all } = recordLaunch({ ...kernel, variants: [variant] }, filled, values(size));
    if (!(variant.needs ?? []).every((name) => features.has(name))) continue;
    if (variant.fits?.(launch.dims, own) === false) continue;
    for (const [t, { data }] of inputs) if (data.length) gpu.write(t, data);
    const prepared = await gpu.prepare({ name: kernel.name, launches: [launch] });
    const written = all.find((t) => t === launch.tensors[output]) as Tensor;
    const [result] = await prepared.run({ read: [written] });
    found.set(variant.name, result);
    prepared.dispose();
    gpu.memory.free([...inputs.map(([t]) => t), ...all]);
  }
  return found;
}

/** Asserts that in every variant exactly the elements that depend on the NaN are NaN. */
function spreads(
  name: string,
  kernel: unknown,
  table: Table,
  size: Size,
  place: readonly [string, number],
  output: string,
  reaches: (index: number) => boolean,
): void {
  test(name, async () => {
    for (const [variant, values] of await outputs(kernel, table, size, place, output)) {
      for (let i = 0; i < values.length; i++)
        assert.is(Number.isNaN(values[i]), reaches(i), `${variant}: ${output}[${i}] = ${values[i]}`);
    }
  });
}

for (const E of [8, 7]) {
  const wide = { B: 1, S: 5, T: 2, H: 1, K: 1, E, packed: 1 };
  const all = (): boolean => true;
  spreads(`attention, a query of width ${E}`, attention, attentionArgs, wide, ["q", 1], "out", (i) => i < E);
  for (const t of [0, 1, 2, 3, 4])
    spreads(`attention, key ${t} of width ${E}`, attention, attentionArgs, wide, ["kv", 2 * t * E + 1], "out", all);
  const long = { B: 1, S: 150, T: 9, H: 1, K: 1, E, packed: 1 };
  for (const t of [0, 31, 32, 63, 64, 149])
    spreads(`attention, key ${t} of 150 of width ${E}`, attention, attentionArgs, long, ["kv", 2 * t * E], "out", all);
  spreads(
    `attention, a value of width ${E}`,
    attention,
    attentionArgs,
    wide,
    ["kv", 3 * E + 2],
    "out",
    (i) => i % E === 2,
  );
  for (const sentence of [0, 1])
    spreads(
      `attention, a value of width ${E} in sentence ${sentence} of two`, // the last sentence lies first
      attention,
      attentionArgs,
      { ...wide, B: 2 },
      ["kv", (1 - sentence) * 5 * 2 * E + E + 1],
      "out",
      (i) => Math.floor(i / (2 * E)) === sentence && i % E === 1,
    );
  const self = { B: 1, S: 5, H: 2, K: 1, E, self: 1, causal: 1 };
  const key = (2 * 4 + 2) * E; // of the third row, which has four heads in all
  spreads(
    `attention, causal, a key of width ${E}`,
    attention,
    attentionArgs,
    self,
    ["kv", key],
    "out",
    (i) => i >= 4 * E,
  );
  const step = { B: 2, M: 6, H: 2, K: 1, E, position: 4, ordered: 1 };
  for (const t of [0, 1, 2, 3]) {
    const at = 2 * t * E;
    spreads(
      `attention_step, past key ${t} of width ${E}`,
      attentionStep,
      attentionStepArgs,
      step,
      ["cache", at],
      "out",
      (i) => i < 2 * E,
    );
  }
  spreads(
    `attention_step, a new query of width ${E}`,
    attentionStep,
    attentionStepArgs,
    step,
    ["qkv", 1],
    "out",
    (i) => i < E,
  );
  spreads(
    `attention_step, a new key of width ${E}`,
    attentionStep,
    attentionStepArgs,
    step,
    ["qkv", 2 * E],
    "out",
    (i) => i < 2 * E,
  );
  const seen = { B: 1, S: 3, H: 1, E, T: 3, self: 1 };
  spreads(
    `attention_weights, a query of width ${E}`,
    attentionWeights,
    attentionWeightsArgs,
    seen,
    ["q", 0],
    "weights",
    (i) => i < 3,
  );
  for (const t of [0, 1, 2]) {
    const at = 3 * t * E + E;
    spreads(
      `attention_weights, key ${t} of width ${E}`,
      attentionWeights,
      attentionWeightsArgs,
      seen,
      ["kv", at],
      "weights",
      all,
    );
  }
  for (const [mode, name] of ["the first row", "the mean", "the maximum"].entries()) {
    for (const row of [0, 1, 2]) {
      const reached = row === 0 || mode > 0;
      const pooled = { B: 2, S: 3, D: E, mode };
      const at = row * E + 3;
      spreads(
        `pooling, ${name}, row ${row} of width ${E}`,
        pooling,
        poolingArgs,
        pooled,
        ["x", at],
        "out",
        (i) => reached && i === 3,
      );
    }
  }
}
spreads("log_mel", logMel, logMelArgs, { N: 2, X: 4, C: 3, wide: 2 }, ["spectrum", 1], "out", (i) => i === 1);
spreads("dynamic_range", dynamicRange, dynamicRangeArgs, { N: 2, T: 3, C: 3 }, ["x", 4], "out", (i) => i === 4);
spreads("unfold", unfold, unfoldArgs, { lengths: 4, I: 2, pad: 1 }, ["x", 0], "columns", (i) => i === 1 || i === 6);
spreads("rope, a query", rope, ropeArgs, { B: 2, M: 4, H: 1, K: 1, E: 6, norms: 1 }, ["qkv", 1], "qkv", (i) => i < 6);
test("logits_process, log-softmax", async () => {
  const size = { B: 2, V: 9, M: 4, position: 1, log: 1 };
  for (const [variant, values] of await outputs(logitsProcess, logitsProcessArgs, size, ["logits", 4], "logits")) {
    assert.ok(Number.isNaN(values[4]), variant);
    assert.ok(Array.from(values).slice(9).every(Number.isFinite), `${variant}: another row`);
  }
});

/** Asserts that every variant marks the row. */
function marks(
  name: string,
  kernel: unknown,
  table: Table,
  size: Size,
  place: readonly [string, number],
  sum: number,
  output = "values",
): void {
  test(name, async () => {
    const written = await outputs(kernel, table, size, place, output);
    assert.ok(written.size > 0, "a variant runs");
    for (const [variant, values] of written) assert.is(values[sum], -1, variant);
  });
}
for (const V of [7, 99]) {
  for (const id of [0, 3, V - 1]) {
    marks(`topk, logit ${id} of ${V}`, topk, topkArgs, { R: 2, V, G: 1, C: 3 }, ["logits", id], 4);
    const draw = { R: 2, V, top_k: 3, top_p: 0.9, min_p: 0.1 };
    marks(`sample, logit ${id} of ${V}`, sample, sampleArgs, { ...draw, parts: 0 }, ["logits", id], 2);
    const part = { ...draw, P: 1 }; // whose sum is after three entries and the largest
    marks(`sample_parts, logit ${id} of ${V}`, sampleParts, samplePartsArgs, part, ["logits", id], 4, "sums");
  }
}

test("beam_step ends a sentence with a row whose sum is a mark, and no other", async () => {
  const size = { B: 3, W: 2, G: 3, C: 3, V: 12, M: 4, length: 2 };
  const marked = {
    ...beamStepArgs,
    args: (given: Size, random: () => number): Args => {
      const filled = beamStepArgs.args(given, random);
      filled.values.data[(3 * 3 + 1) * 5 + 4] = -1; // row 3, part 1
      return filled;
    },
  };
  for (const [variant, sentences] of await outputs(beamStep, marked, size, ["values", 0], "sentences")) {
    const done = Array.from({ length: 3 }, (_, b) => sentences[b * sentenceWidth(2) + SENTENCE.done]);
    assert.is(done[1], DONE.broken, variant);
    assert.ok(done[0] !== DONE.broken && done[2] !== DONE.broken, variant);
  }
});
