import { countLaunches, gpu as openGpu, record, tensor, tune, type TunedChoice, tuningKey } from "../src/index.js";
import { layernormResidual, matmul } from "../src/kernels/index.js";
import type { DeviceClass } from "../src/runtime/device_class.js";
import type { Dims, Kernel, Variant } from "../src/runtime/kernel.js";
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

test("matmul takes few rows and many by variants, on either side of 8 rows and by class", () => {
  const product = matmul as unknown as Kernel;
  const at = (N: number, on: DeviceClass, NORM = 0): string =>
    chosen(product, on, { N, I: 64, O: 64, J: 1, WEIGHT_FORMAT: 0, NORM });
  assert.equal([at(8, cpu8), at(9, cpu8), at(9, classOf("cpu"))], ["rows.direct", "cpu", "direct"]);
  assert.equal([at(8, classOf("gpu", 0)), at(9, classOf("gpu", 0))], ["rows.subgroup", "shared"]);
  assert.equal([at(8, classOf("gpu")), at(9, classOf("gpu"))], ["rows.shared", "shared"]);
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
