import { gpu as openGpu, countLaunches, record, tensor, tune, tuningKey, type Winner } from "../src/index.js";
import { layernormResidual } from "../src/kernels/index.js";
import { candidates, chooseForm, type DeviceClass, deviceClass } from "../src/runtime/variants.js";
import type { Dims, Form, Kernel } from "../src/runtime/kernel.js";
import { winnerStore } from "../src/runtime/tuning.js";
import { assert, refuses, runtime, suite } from "./support/harness.js";

const test = suite("tuning");
const norm = layernormResidual as unknown as Kernel;
const dims = { N: 5, D: 64, eps: 1e-5, HAS_RESIDUAL: 0, HAS_SUM: 0, HAS_STATUS: 0 };

const software = deviceClass(true, true, 8);
const forms = (device: DeviceClass, kernel: Kernel, forced = false): string =>
  chooseForm(kernel, dims, device, { forced }).name;

test("the adapter's class chooses the form, and a forced form goes before it", () => {
  const form: Form = { wgsl: "", groups: () => 1 };
  const all = { ...norm, forms: { direct: form, shared: form, subgroup: form } };
  const plain = { ...norm, forms: { direct: form, shared: form } };
  const special = { ...norm, forms: { ...all.forms, subgroup: { ...form, software: true } } };
  const gpu = deviceClass(false, true, 0);
  assert.equal(
    [forms(software, all), forms(software, plain), forms(software, special)],
    ["direct", "direct", "subgroup"],
  );
  assert.equal([forms(gpu, all), forms(gpu, plain), forms(gpu, special)], ["subgroup", "shared", "shared"]);
  assert.is(forms(deviceClass(false, false, 0), all), "shared");
  assert.is(forms(deviceClass(true, true, 8, "shared"), all, true), "shared");
  assert.is(forms(deviceClass(true, true, 8, "subgroup"), all, true), "subgroup");
  assert.is(forms(deviceClass(true, false, 0, "subgroup"), all, true), "shared");
  assert.is(forms(deviceClass(false, true, 0, "direct"), all, true), "direct");
});

test("a form says which sizes it takes, and sees the device's subgroups", () => {
  const form: Form = { wgsl: "", groups: () => 1 };
  const picky = {
    ...norm,
    forms: { direct: form, subgroup: { ...form, software: true, fits: ({ SUBGROUP }: Dims) => SUBGROUP === 8 } },
  };
  assert.is(forms(software, picky), "subgroup");
  assert.is(forms(deviceClass(true, true, 4), picky), "direct");
});

test("launches of about as many rows share a winner, others do not", () => {
  const key = tuningKey(norm, dims);
  assert.is(key, "layernorm_residual D=64 N<=8");
  assert.is(tuningKey(norm, { ...dims, N: 8 }), key);
  assert.is.not(tuningKey(norm, { ...dims, N: 9 }), key);
  assert.is.not(tuningKey(norm, { ...dims, D: 128 }), key);
});

test("a winner is used where the kernel still has it, and nowhere else", () => {
  const key = tuningKey(norm, dims);
  const winner = candidates(norm, dims, software).find(({ form }) => form === "shared")!;
  const choose = (size: Dims, one: Winner): string =>
    chooseForm(norm, size, software, { winners: { [key]: one } }).name;
  assert.is(choose(dims, winner), "shared");
  assert.is(choose({ ...dims, N: 9 }, winner), "direct");
  assert.is(choose(dims, { form: "shared", constants: { NO_SUCH: 3 } }), "direct");
});

test("tune measures every kind of launch once, uses the winners, and gives its memory back", async () => {
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
  const winners = await tune(gpu, [plan], {
    progress: ({ key, loaded, total }) => events.push(`${key} ${loaded}/${total}`),
  });
  const key = tuningKey(norm, plan.launches[0].dims);
  assert.equal(events, [`${key} 1/1`]);
  assert.equal(Object.keys(winners), [key]);
  assert.equal(gpu.tuning.winners(), winners);
  assert.is(gpu.choose(norm, plan.launches[0].dims).name, winners[key].form);
  const { staging: _, total: __, ...now } = gpu.use();
  for (const [kind, bytes] of Object.entries(now)) assert.is(bytes, held[kind as keyof typeof held], kind);
  await refuses(() => tune(gpu, [plan], { signal: AbortSignal.abort(new Error("enough")) }), Error, /enough/);
  gpu.dispose();
});

test("winners are kept from one session to the next, by adapter", async () => {
  const info = {
    vendor: "test",
    architecture: String(Math.random()),
    description: "an adapter of nobody's",
    software: true,
    subgroup: 8,
  };
  const store = winnerStore(info);
  assert.ok(store);
  assert.equal(await store.read(), {});
  const winners = { "kernel N<=8": { form: "shared", constants: { TILE: 2 } } } as const;
  await store.write(winners);
  assert.equal(await winnerStore(info)!.read(), winners);
  assert.equal(await winnerStore({ ...info, vendor: "another" })!.read(), {});
  if (runtime === "chrome") return void (await (await caches.open("wgformer")).delete(store.place.split(", ")[1]));
  const { rm, writeFile } = await import("node:fs/promises");
  await writeFile(store.place, "{ broken");
  assert.equal(await winnerStore(info)!.read(), {});
  await rm(store.place);
});
