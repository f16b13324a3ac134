import { NO_ID } from "../src/kernels/constants.js";
import { TABLES, tableAt } from "../src/kernels/search_state.js";
import type { DecoderArchitecture, GraphModel, Stack } from "../src/model/graph/architecture.js";
import { decoderPrompt, decoderStep, sourceKeys } from "../src/model/graph/decoder.js";
import { encoder } from "../src/model/graph/encoder.js";
import { packRows, packSpans } from "../src/model/inputs.js";
import type { Gpu } from "../src/runtime/gpu.js";
import { countLaunches, type Plan, record } from "../src/runtime/plan.js";
import { prefix, type Tensor, tensor } from "../src/runtime/tensor.js";
import { verify } from "../src/runtime/verify.js";
import { assert, device, randoms, suite } from "./support/harness.js";
import { shuffled } from "./support/launch.js";
import { plainStack, REACH } from "./support/plain_stack.js";

// A stack says itself what it is: no checkpoint here, only weights by name. The model has what no fixture has: a pre-norm encoder
// with a last norm, scores without a factor, and biases by distance (T5, Raffel et al. 2020), once with shared key/value heads.
// Each launch is compared with its kernel's reference, and the results with the same layers written down without kernels.
const test = suite("graph");

const [D, V, F, H, E] = [16, 11, 24, 2, 8];
const sizes = { depth: 2, F, H, E, P: 20 };
const stack = (K: number): Stack => ({
  ...sizes,
  K,
  activation: "relu",
  gated: true,
  embeddingScale: 1,
  scale: 1,
  lastNorm: true,
});
const architecture: DecoderArchitecture & { readonly encoder: Stack } = {
  family: "test",
  D,
  V,
  encoder: stack(2),
  decoder: stack(1),
  norm: "rmsnorm",
  placement: "pre",
  eps: 1e-6,
};

const SHAPES: Readonly<Record<string, readonly number[]>> = Object.fromEntries([
  ...(["encoder", "decoder"] as const).flatMap((side) => [
    [`${side}.embed_tokens.weight`, [V, D]],
    [`${side}.norm.weight`, [D]],
    ...Array.from({ length: 2 }, (_, l) =>
      layerShapes(side, architecture[side].K).map(([name, shape]) => [`${side}.layers.${l}.${name}`, shape]),
    ).flat(),
  ]),
  ["lm_head.weight", [V, D]],
]);

function layerShapes(side: "encoder" | "decoder", K: number): (readonly [string, readonly number[]])[] {
  return [
    ["self_attn_norm.weight", [D]],
    ["self_attn.qkv.weight", [(H + 2 * K) * E, D]],
    ["self_attn.relative_bias", [2 * REACH + 1, H]],
    ["self_attn.out.weight", [D, H * E]],
    ...(side === "encoder"
      ? []
      : ([
          ["cross_attn_norm.weight", [D]],
          ["cross_attn.q.weight", [H * E, D]],
          ["cross_attn.kv.weight", [2 * K * E, D]],
          ["cross_attn.out.weight", [D, H * E]],
        ] as const)),
    ["final_norm.weight", [D]],
    ["fc1.weight", [2 * F, D]],
    ["fc2.weight", [D, F]],
  ];
}

/** Values of every weight: norms around 1, matrices that keep the size of what they multiply. */
function randomWeights(): Map<string, Float32Array<ArrayBuffer>> {
  const random = randoms(3);
  return new Map(
    Object.entries(SHAPES).map(([name, shape]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const isNorm = name.endsWith("norm.weight");
      const scale = name.endsWith("embed_tokens.weight") || name.endsWith("bias") ? 1 : shape[shape.length - 1] ** -0.5;
      return [name, Float32Array.from({ length }, () => (isNorm ? 1 + 0.3 * random() : 1.5 * scale * random()))];
    }),
  );
}

function upload(gpu: Gpu, values: ReadonlyMap<string, Float32Array<ArrayBuffer>>): GraphModel<typeof architecture> {
  const tensors = new Map([...values.keys()].map((name) => [name, tensor(name, "f32", SHAPES[name], "weight")]));
  for (const [name, data] of values) gpu.write(tensors.get(name) as Tensor, data);
  const find = (name: string): Tensor | undefined => tensors.get(name);
  return {
    architecture,
    weights: {
      find,
      get: (name) => find(name) as Tensor,
      parts: (name) => [find(name)].filter((t) => t !== undefined),
      tensors: new Set(tensors.values()),
      unused: [],
    },
  };
}

const SENTENCES = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 5, 3, 5, 8],
];
const N = SENTENCES.flat().length;

function assertClose(got: Float32Array, want: readonly number[], what: string): void {
  const worst = Math.max(...want.map((value, i) => Math.abs(value - got[i])));
  assert.is(got.length, want.length);
  assert.ok(worst < 2e-5, `${what} is ${worst} off`);
}

/** Runs a plan, after each of its launches has agreed with its reference. */
async function runVerified(gpu: Gpu, plan: Plan, read: readonly Tensor[]): Promise<Float32Array[]> {
  assert.is(await verify(gpu, plan, 2e-5), undefined);
  const prepared = await gpu.prepare(plan);
  try {
    return (await prepared.run({ read })) as Float32Array[];
  } finally {
    prepared.dispose();
  }
}

test("a pre-norm encoder with a last norm, biases by distance and no factor on scores", async () => {
  const gpu = await device();
  const values = randomWeights();
  const model = upload(gpu, values);
  const [rows, spans] = [tensor("rows", "u32", [N, 4]), tensor("spans", "u32", [2, 2])];
  const states = [0, 1, 2].map((l) => tensor(`states ${l}`, "f32", [N, D]));
  gpu.write(rows, packRows(SENTENCES));
  gpu.write(spans, packSpans(SENTENCES));
  const plan = record("encoder", (run) => void encoder(run, model, { rows, spans }, { states }));
  const encode = plainStack(architecture, values, "encoder");
  const [embedded, , last] = await runVerified(gpu, plan, states);
  assertClose(last, SENTENCES.flatMap((ids) => encode(ids)).flat(), "the last state");
  assert.equal([...embedded.subarray(0, D)], [...values.get("encoder.embed_tokens.weight")!.subarray(3 * D, 4 * D)]);
  assert.is(countLaunches(plan), 1 + 2 * 7 + 1);
  gpu.memory.free([...model.weights.tensors, rows, spans, ...states]);
});

test("steps of a decoder with biases by distance, shared heads, cross attention and beams that change their past", async () => {
  const gpu = await device();
  const values = randomWeights();
  const model = upload(gpu, values);
  const { depth, K } = architecture.decoder;
  // Two beams of each sentence; at step 2 the first beam continues the second's past.
  const [R, M] = [4, 6];
  const feeds = [
    [7, 2, 0, 8, 10, 1],
    [4, 6, 3, 9, 2, 5],
    [1, 1, 2, 3, 5, 8],
    [10, 9, 8, 7, 6, 5],
  ];
  const SWAP = 2;
  const owner = (r: number, t: number, now: number): number => (now >= SWAP && t < SWAP && r % 2 === 0 ? r + 1 : r);
  const source = { rows: tensor("source rows", "u32", [N, 4]), spans: tensor("source spans", "u32", [2, 2]) };
  const slots = shuffled(R * M, randoms(5));
  const past = {
    caches: Array.from({ length: depth }, (_, l) => tensor(`cache ${l}`, "f32", [R * M, 2 * K * E])),
  };
  const cross = {
    kv: Array.from({ length: depth }, (_, l) => tensor(`source keys ${l}`, "f32", [N, 2 * K * E])),
    spans: source.spans,
  };
  const rows = tensor("rows", "u32", [R, 4]);
  const indirection = tensor("indirection", "u32", [R, TABLES, M]);
  const logits = tensor("logits", "f32", [R, V]);
  gpu.write(source.rows, packRows(SENTENCES));
  gpu.write(source.spans, packSpans(SENTENCES));
  await runVerified(
    gpu,
    record("encode", (run) => void sourceKeys(run, model, encoder(run, model, source), cross.kv)),
    [],
  );
  const plan = record("step", (run) => void decoderStep(run, model, { rows, past, indirection, cross, logits }));
  const encode = plainStack(architecture, values, "encoder");
  const decode = plainStack(architecture, values, "decoder");
  const head = values.get("lm_head.weight") as Float32Array;
  for (let t = 0; t < M; t++) {
    gpu.write(rows, Uint32Array.from(feeds.flatMap((ids, r) => [ids[t], t, Math.floor(r / 2), r % 2])));
    const tables = new Uint32Array(R * TABLES * M);
    for (let r = 0; r < R; r++)
      for (let s = 0; s <= t; s++) tables[(TABLES * r + tableAt(t)) * M + s] = slots[owner(r, s, t) * M + s];
    gpu.write(indirection, tables);
    const [got] = await runVerified(gpu, plan, [logits]);
    const want = feeds.flatMap((ids, r) => {
      const told = ids.slice(0, t + 1).map((_, s) => feeds[owner(r, s, t)][s]);
      const hidden = decode(told, encode(SENTENCES[Math.floor(r / 2)]))[t];
      return Array.from({ length: V }, (_, v) => hidden.reduce((sum, value, d) => sum + value * head[v * D + d], 0));
    });
    assertClose(got, want, `step ${t}`);
  }
  assert.is(countLaunches(plan), 1 + 2 * 11 + 2);
  gpu.memory.free([
    ...model.weights.tensors,
    ...Object.values(source),
    ...past.caches,
    ...cross.kv,
    rows,
    indirection,
    logits,
  ]);
});

test("prompts that are stored once for their beams, and steps of some of the rows, one of them idle", async () => {
  const gpu = await device();
  const values = randomWeights();
  const model = upload(gpu, values);
  const { depth, K } = architecture.decoder;
  const prompts = [
    [7, 2, 0, 8],
    [4, 6, 3, 9, 2, 5],
  ];
  const beams = [
    { sentence: 1, next: [1, 8] },
    { sentence: 0, next: [10, 3] },
    undefined, // idle
    { sentence: 1, next: [2, 2] },
    { sentence: 0, next: [5, 0] },
  ];
  const [R, M, Z] = [8, 9, 40]; // steps are of the first rows alone
  const slots = shuffled(Z, randoms(6));
  const source = { rows: tensor("source rows", "u32", [N, 4]), spans: tensor("source spans", "u32", [2, 2]) };
  const caches = Array.from({ length: depth }, (_, l) => tensor(`cache ${l}`, "f32", [Z, 2 * K * E]));
  const cross = {
    kv: Array.from({ length: depth }, (_, l) => tensor(`source keys ${l}`, "f32", [N, 2 * K * E])),
    spans: source.spans,
  };
  const told = { rows: tensor("prompt rows", "u32", [12, 4]), spans: tensor("prompt spans", "u32", [2, 2]) };
  const named = tensor("prompt slots", "u32", [20]);
  const rows = tensor("rows", "u32", [R, 4]);
  const indirection = tensor("indirection", "u32", [R, TABLES, M]);
  const logits = tensor("logits", "f32", [beams.length, V]);
  gpu.write(source.rows, packRows(SENTENCES));
  gpu.write(source.spans, packSpans(SENTENCES));
  const owned = prompts.flatMap((ids, b) => ids.map((id, t) => [id, t, b, slots[8 * b + t]]));
  const padding = [0, 0, NO_ID, 0];
  gpu.write(told.rows, Uint32Array.from([...owned.slice(0, 4), padding, ...owned.slice(4), padding].flat()));
  gpu.write(told.spans, Uint32Array.from([9, 4, 0, 6]));
  const order = [...slots.slice(8, 14), 0, 0, 0, ...slots.slice(0, 4), ...Array<number>(7).fill(0)];
  gpu.write(named, Uint32Array.from(order));
  const prompt = { ...told, slots: named, past: { caches }, cross };
  const read = record("prompts", (run) => {
    sourceKeys(run, model, encoder(run, model, source), cross.kv);
    decoderPrompt(run, model, prompt);
  });
  await runVerified(gpu, read, []);
  const few = { rows: prefix(rows, [beams.length, 4]), indirection: prefix(indirection, [beams.length, TABLES, M]) };
  const plan = record("step", (run) => void decoderStep(run, model, { ...few, past: { caches }, cross, logits }));
  const encode = plainStack(architecture, values, "encoder");
  const decode = plainStack(architecture, values, "decoder");
  const head = values.get("lm_head.weight") as Float32Array;
  for (let step = 0; step < 2; step++) {
    const fed = beams.map((beam) =>
      beam ? [beam.next[step], prompts[beam.sentence].length + step, beam.sentence, 0] : [3, 4, NO_ID, 0],
    );
    gpu.write(rows, Uint32Array.from([...fed, ...Array.from({ length: R - fed.length }, () => [1, 2, 0, 0])].flat()));
    const tables = new Uint32Array(R * TABLES * M);
    beams.forEach((beam, r) => {
      if (!beam) return;
      const { length } = prompts[beam.sentence];
      const own = (t: number): number => slots[t < length ? 8 * beam.sentence + t : 16 + 3 * r + t - length];
      for (let t = 0; t <= length + step; t++) tables[(TABLES * r + tableAt(length + step)) * M + t] = own(t);
    });
    gpu.write(indirection, tables);
    const [got] = await runVerified(gpu, plan, [logits]);
    beams.forEach((beam, r) => {
      if (!beam) return;
      const ids = [...prompts[beam.sentence], ...beam.next.slice(0, step + 1)];
      const hidden = decode(ids, encode(SENTENCES[beam.sentence]))[ids.length - 1];
      const want = Array.from({ length: V }, (_, v) =>
        hidden.reduce((sum, value, d) => sum + value * head[v * D + d], 0),
      );
      assertClose(got.subarray(r * V, (r + 1) * V), want, `row ${r} of step ${step}`);
    });
  }
  const tensors = [...model.weights.tensors, ...Object.values(source), ...caches, ...cross.kv, ...Object.values(told)];
  gpu.memory.free([...tensors, named, rows, indirection, logits]);
});
