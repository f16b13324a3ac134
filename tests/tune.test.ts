import {
  countLaunches,
  defineKernel,
  type Gpu,
  gpu as openGpu,
  type Plan,
  profile,
  record,
  tensor,
  tune,
  type TuneEvent,
  type TunedChoice,
  tuningKey,
} from "../src/index.js";
import { layernormResidual, matmul } from "../src/kernels/index.js";
import type { DeviceClass } from "../src/runtime/device_class.js";
import type { Dims, Kernel, Variant } from "../src/runtime/kernel.js";
import { byTimestamps } from "../src/runtime/profile.js";
import { fastestOf } from "../src/runtime/tune.js";
import { tuningStore } from "../src/runtime/tuning.js";
import { candidates, chooseVariant } from "../src/runtime/variants.js";
import { classOf } from "./support/device_class.js";
import { assert, refuses, runtime, suite } from "./support/harness.js";

const test = suite("tuning");
const norm = layernormResidual as unknown as Kernel;
const dims = { N: 5, D: 64, eps: 1e-5, HAS_BIAS: 0, HAS_RESIDUAL: 0, HAS_BETA: 0, HAS_STATUS: 0 };

const cpu8 = classOf("cpu", 8);
const chosen = (kernel: Kernel, on: DeviceClass, size: Dims = dims): string =>
  chooseVariant(kernel, size, on).variant.name;

const variant = (name: string, more: Partial<Variant> = {}): Variant => ({ name, wgsl: "", groups: () => 1, ...more });
const withVariants = (...variants: Variant[]): Kernel => ({ ...norm, variants });
const subgroup = variant("subgroup", { needs: ["subgroups"], for: "gpu" });
const shared = variant("shared", { for: "gpu" });
const cpu = variant("cpu", { needs: ["subgroups"], for: "cpu" });
const direct = variant("direct");

test("the first variant is chosen that the device has the features for and that is for its class", () => {
  const all = withVariants(subgroup, shared, direct);
  assert.equal([chosen(all, cpu8), chosen(withVariants(cpu, shared, direct), cpu8)], ["direct", "cpu"]);
  assert.is(chosen(all, classOf("gpu", 0)), "subgroup");
  assert.is(chosen(all, classOf("gpu")), "shared");
  assert.is(chosen(withVariants(cpu, direct), classOf("gpu", 8)), "direct");
  assert.is(chosen(withVariants(cpu, direct), classOf("cpu")), "direct");
});

test("a variant says which sizes it takes, and sees the device's subgroups", () => {
  const picky = withVariants({ ...cpu, fits: (_, { subgroup }) => subgroup === 8 }, direct);
  assert.is(chosen(picky, cpu8), "cpu");
  assert.is(chosen(picky, classOf("cpu", 4)), "direct");
});

test("a variant says at which sizes it is the choice; at others only measuring chooses it", () => {
  const few = withVariants({ ...direct, name: "few", suits: ({ N }) => N <= 8 }, direct);
  assert.equal([chosen(few, cpu8), chosen(few, cpu8, { ...dims, N: 9 })], ["few", "direct"]);
  const names = (size: Dims): string[] => candidates(few, size, cpu8).map(({ variant: name }) => name);
  assert.equal(names({ ...dims, N: 9 }), ["few", "direct"]);
});

test("matmul takes few rows and many by variants, on either side of 8 rows, or 16 on GPUs, and by class", () => {
  const product = matmul as unknown as Kernel;
  const at = (N: number, on: DeviceClass, NORM = 0): string =>
    chosen(product, on, { N, I: 64, O: 64, J: 1, WEIGHT_FORMAT: 0, NORM });
  assert.equal([at(8, cpu8), at(9, cpu8), at(9, classOf("cpu"))], ["rows.direct", "cpu", "direct"]);
  assert.equal([at(16, classOf("gpu", 0)), at(17, classOf("gpu", 0))], ["rows.subgroup", "shared"]);
  assert.equal([at(16, classOf("gpu")), at(17, classOf("gpu"))], ["rows.shared", "shared"]);
  assert.equal([at(9, cpu8, 1), at(9, classOf("gpu"), 1)], ["rows.direct", "rows.shared"]);
  const size = { N: 16, I: 64, O: 64, J: 1, WEIGHT_FORMAT: 0, NORM: 0 };
  const measured = new Set(candidates(product, size, classOf("gpu", 32)).map(({ variant: name }) => name));
  assert.equal([...measured], ["rows.subgroup", "rows.shared", "shared", "direct", "rows.direct"]);
});

test("launches of about as many rows share a tuned choice, others do not", () => {
  const key = tuningKey(norm, dims);
  assert.is(key, "layernorm_residual D=64 N<=8");
  assert.is(tuningKey(norm, { ...dims, N: 8 }), key);
  assert.is.not(tuningKey(norm, { ...dims, N: 9 }), key);
  assert.is.not(tuningKey(norm, { ...dims, D: 128 }), key);
});

test("a tuned choice is used where the kernel still has it, and nowhere else", () => {
  const key = tuningKey(norm, dims);
  const tuned = candidates(norm, dims, cpu8).find(({ variant: name }) => name === "shared")!;
  const choose = (size: Dims, one: TunedChoice): string => chooseVariant(norm, size, cpu8, { [key]: one }).variant.name;
  assert.is(choose(dims, tuned), "shared");
  assert.is(choose({ ...dims, N: 9 }, tuned), "direct");
  assert.is(choose(dims, { variant: "shared", constants: { NO_SUCH: 3 } }), "direct");
});

test("tune measures every kind of launch once, uses the fastest, and gives its memory back", async () => {
  const gpu = await openGpu({ tuned: false });
  const [x, gamma, beta] = [
    tensor("x", "f32", [5, 64]),
    tensor("gamma", "f32", [64], "weight"),
    tensor("beta", "f32", [64], "weight"),
  ];
  gpu.write(gamma, new Float32Array(64));
  gpu.write(beta, new Float32Array(64));
  const plan = record("norms", (run) => {
    for (let n = 0; n < 3; n++) run(layernormResidual, `norm.${n}`, { x, gamma, beta }, { eps: 1e-5 });
  });
  assert.is(countLaunches(plan), 3);
  const held = gpu.use();
  const events: string[] = [];
  const choices = await tune(gpu, [plan], {
    progress: ({ key, loaded, total }) => events.push(`${key} ${loaded}/${total}`),
  });
  const key = tuningKey(norm, plan.launches[0].dims);
  assert.equal(events, [`${key} 1/1`]);
  assert.equal(Object.keys(choices), [key]);
  assert.equal(gpu.tuning.choices(), choices);
  assert.is(gpu.choose(norm, plan.launches[0].dims).variant.name, choices[key].variant);
  const { staging: _, total: __, ...now } = gpu.use();
  for (const [kind, bytes] of Object.entries(now)) assert.is(bytes, held[kind as keyof typeof held], kind);
  await refuses(() => tune(gpu, [plan], { signal: AbortSignal.abort(new Error("enough")) }), Error, /enough/);
  gpu.dispose();
});

test("what was measured is kept for later runs of a program, by adapter", async () => {
  const info = {
    vendor: "test",
    architecture: String(Math.random()),
    description: "an adapter of nobody's",
    software: true,
    subgroup: 8,
  };
  const store = tuningStore(info);
  assert.ok(store);
  assert.equal(await store.read(), {});
  const choices = { "kernel N<=8": { variant: "shared", constants: { TILE: 2 } } } as const;
  await store.add(choices);
  assert.equal(await tuningStore(info)!.read(), choices);
  assert.equal(await tuningStore({ ...info, vendor: "another" })!.read(), {});
  if (runtime === "chrome") return void (await (await caches.open("wgformer")).delete(store.place.split(", ")[1]));
  const { rm, writeFile } = await import("node:fs/promises");
  await writeFile(store.place, "{ broken");
  assert.equal(await tuningStore(info)!.read(), {});
  await rm(store.place);
});

test("a time of 0 is never the choice, and noise changes nothing", () => {
  assert.equal(fastestOf([0, 3, 2], 1), { index: 2, speedup: 1.5 });
  assert.equal(fastestOf([0, 3, 2.95], 1), { index: 1, speedup: 1 });
  assert.equal(fastestOf([3, 0, 2], 1), { index: 2, speedup: 1 }); // the present choice could not be measured
  assert.equal(fastestOf([0, 0, 0], 1), { index: 1, speedup: 1 });
  assert.equal(fastestOf([0, 0], -1), { index: -1, speedup: 1 });
});

/** A kernel of two variants, of which one computes four times as long; both take less than a coarse timestamp. */
const busy = (...turns: number[]) =>
  defineKernel({
    name: "busy",
    reads: { x: "f32[N]", w: "f32[N]" },
    writes: { y: "f32[N]" },
    params: [],
    constants: [],
    variants: turns.map((count) => ({
      name: `turns ${count}`,
      groups: ({ N }) => Math.ceil(N / 64),
      wgsl: `// busy
struct Params { N: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = x[id.x];
  for (var i = 0u; i < ${count}u; i++) { sum = fma(sum, 0.5, w[id.x]); }
  y[id.x] = sum;
}`,
    })),
    bytes: ({ N }) => 12 * N,
    flops: ({ N }) => N,
    reference({ N }, { x, w, y }) {
      for (let n = 0; n < N; n++) y[n] = x[n] + w[n];
    },
  });

/** A launch for each of several weights. */
function busyPlan(gpu: Gpu, ...turns: number[]): Plan {
  const x = tensor("x", "f32", [64]);
  const weights = [0, 1, 2].map((index) => tensor(`w${index}`, "f32", [64], "weight"));
  for (const w of weights) gpu.write(w, new Float32Array(64));
  return record("busy", (run) => weights.forEach((w) => void run(busy(...turns), "busy", { x, w }, {})));
}

test(
  "winners are the same each time where timestamps count in 65 us, as in Chrome",
  async () => {
    const { create } = (await import("webgpu")) as unknown as { create(flags: string[]): GPU };
    const dawn = create([]);
    const adapter = await dawn.requestAdapter();
    const own = await adapter!.requestDevice({ requiredFeatures: ["timestamp-query"] });
    const gpu = await openGpu({ device: own, tuned: false });
    const plan = busyPlan(gpu, 4000, 1000);
    const prepared = await gpu.prepare(plan);
    assert.is(await byTimestamps(gpu, prepared), undefined); // they are too coarse for one launch
    for (const { ms } of await profile(gpu, prepared)) assert.ok(ms > 0.001 && ms < 20, `${ms} ms`);
    prepared.dispose();
    const found: string[] = [];
    for (const turns of [
      [4000, 1000],
      [1000, 4000],
      [1000, 4000],
      [4000, 1000],
    ]) {
      const choices = await tune(gpu, [busyPlan(gpu, ...turns)]);
      found.push(...Object.values(choices).map(({ variant: name }) => name));
    }
    assert.equal(found, Array(4).fill("turns 1000"));
    gpu.dispose();
    own.destroy();
    await dawn.requestAdapter(); // holds it until here
  },
  { chrome: "its flags give fine timestamps", deno: "it has no Dawn" },
);

test("a launch that the device cannot hold is left out, with the reason", async () => {
  const gpu = await openGpu({ tuned: false });
  const most = gpu.device.limits.maxStorageBufferBindingSize / 4;
  const x = tensor("x", "f32", [most + 64]);
  const w = tensor("w", "f32", [most + 64], "weight");
  const plan = record("busy", (run) => void run(busy(1, 2), "busy", { x, w }, {}));
  const events: TuneEvent[] = [];
  const choices = await tune(gpu, [plan, busyPlan(gpu, 1, 2)], { progress: (event) => events.push(event) });
  assert.equal(Object.keys(choices), ["busy N<=64"]);
  assert.equal([events.length, events[0].speedup, events[0].tuned.variant], [2, 1, "turns 1"]);
  assert.match(events[0].skipped ?? "", /^gpu: x f32\[\d+\] must fit one binding/);
  assert.is(events[1].skipped, undefined);
  gpu.dispose();
});

test("a launch is measured with the weights of all launches of its kind in turn", async () => {
  const gpu = await openGpu({ tuned: false });
  const used = [0, 0, 0];
  const watched: Gpu = {
    ...gpu,
    async prepare(...plan) {
      const prepared = await gpu.prepare(...plan);
      const encode: typeof prepared.encode = (pass, launch) => {
        used[launch]++;
        prepared.encode(pass, launch);
      };
      return { ...prepared, encode };
    },
  };
  await tune(watched, [busyPlan(gpu, 1, 2)]);
  assert.ok(Math.min(...used) > 10 && Math.max(...used) - Math.min(...used) <= 1, used.join());
  gpu.dispose();
});
