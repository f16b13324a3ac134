import { type Figures, figuresOf, findDevice, measuredFigures } from "../bench/roofline/devices.js";
import { byKind, expectPlan, planTime, workingSet } from "../bench/roofline/expected.js";
import { roofline } from "../bench/roofline/main.js";
import { resultFigures } from "../bench/roofline/observed.js";
import { predict } from "../bench/roofline/predict.js";
import { findShape, SHAPES, shapeOf } from "../bench/roofline/shapes.js";
import { defineKernel, memoryPlan, openCheckpoint, type Plan, record, tensor } from "../src/index.js";
import { assert, device, folder, readJson, refuses, suite } from "./support/harness.js";

const test = suite("roofline", { chrome: "numbers are the same in all runtimes", deno: "as in Node" });

/** 100 GB/s and 1 TFLOP/s, of which each number below is computed by hand. */
const plain: Figures = {
  ...figuresOf({ name: "plain", vendor: "nvidia", gb_s: 100, tflop_s: 1, lanes: 6400, source: "made up" }),
  launch_us: 5,
  wait_us: 0.5,
  host_us: 10,
};

/** A kernel that nobody has looked at: 60 % of the bandwidth, 25 % of the operations, 8 loads one after the other. */
const scan = defineKernel({
  name: "scan",
  reads: { x: "f32[N]" },
  writes: { y: "f32[N]" },
  params: ["each"],
  constants: [],
  variants: [{ name: "direct", wgsl: "", groups: ({ N }) => Math.ceil(N / 64) }],
  bytes: ({ N }) => 8 * N,
  flops: ({ N, each }) => each * N,
  reference: () => {},
});

/** Launches over N numbers, with `each` operations a number. */
const scans = (N: number, each: number, layers = 1): Plan =>
  record("scans", (run) => {
    const x = tensor("x", "f32", [N]);
    for (let l = 0; l < layers; l++) run(scan, `layers.${l}.scan`, { x, y: tensor("y", "f32", [N]) }, { each });
  });
const near = (got: number, want: number): void => assert.ok(Math.abs(got / want - 1) < 1e-9, `${got}, not ${want}`);

test("a launch takes its own time, and that of its bytes at a share of the bandwidth", () => {
  const [one] = expectPlan(scans(750_000, 1), plain); // 6 MB at 60 GB/s: 100 us, at the roof 60
  assert.equal([one.bytes, one.flops, one.bound], [6e6, 75e4, "memory"]);
  near(one.us, 105);
  near(one.share, 60 / 105);
});

test("or that of its operations, longer where its workgroups do not fill the device", () => {
  const [full] = expectPlan(scans(6400, 12_500), plain); // 80 MFLOP at 0.25 TFLOP/s: 320 us, at the roof 80
  assert.is(full.bound, "arithmetic");
  near(full.us, 325);
  near(full.share, 80 / 325);
  const [wide] = expectPlan(scans(6400, 12_500), { ...plain, lanes: 12_800 });
  near(wide.us, 5 + 2 * 320);
});

test("or that of loads that wait for one another, or next to nothing", () => {
  const slow = expectPlan(scans(64, 1), { ...plain, wait_us: 2 })[0];
  assert.is(slow.bound, "waits");
  near(slow.us, 5 + 8 * 2);
  const small = expectPlan(scans(64, 1), plain)[0];
  assert.is(small.bound, "launch");
  near(small.us, 5 + 8 * 0.5);
});

test("more invocations than a device holds at once wait in turn", () => {
  const [one] = expectPlan(scans(64 * 1000, 1), { ...plain, wait_us: 2, lanes: 800 }); // 10 times 8 a lane
  near(one.us, 5 + 10 * 8 * 2);
});

test("layers are summed up, and a host that records no faster bounds a plan", () => {
  const expected = expectPlan(scans(64, 1, 3), plain);
  const [kind, ...others] = byKind(expected);
  assert.equal([kind.count, kind.place, others.length], [3, "layers.*.scan", 0]);
  near(kind.us, 3 * 9);
  assert.equal(planTime(expected, { ...plain, host_us: 1 }), { us: 27, host: false });
  assert.equal(planTime(expected, plain), { us: 30, host: true });
  assert.is(workingSet(scans(64, 1, 3)), 4 * 64 * (1 + 3));
});

test("products of few rows are bound by their weights, those of many by arithmetic", async () => {
  const shape = await shapeOf("bert-base-uncased", SHAPES["bert-base-uncased"]);
  const boundOf = async (rows: number, name: string): Promise<string | undefined> => {
    const [{ launches }] = await predict(shape, { rows, input_length: 8 }, findDevice("M2")!);
    return launches.find(({ label }) => label.endsWith(name))?.bound;
  };
  assert.equal([await boundOf(1, "fc1"), await boundOf(64, "fc1")], ["memory", "arithmetic"]);
});

const PARAMETERS = {
  "all-MiniLM-L6-v2": 22_565_376, // without the pooler
  "bert-base-uncased": 108_891_648,
  gpt2: 124_439_808,
  "llama-3.2-1b": 1_235_814_400,
  "qwen3-0.6b": 596_049_920,
};
for (const [name, parameters] of Object.entries(PARAMETERS))
  test(`${name} has as many parameters as the model of that name`, async () => {
    const plan = await memoryPlan(await shapeOf(name, SHAPES[name]));
    assert.is(plan.parameters, parameters);
  });

test("a config alone gives what the checkpoint gives", async () => {
  const path = "models/g2p-en";
  const checkpoint = await openCheckpoint(folder(path));
  const shape = await shapeOf(path, { ...(await readJson<Record<string, unknown>>(`${path}/config.json`)) });
  const call = { rows: 3, input_length: 9, options: { num_beams: 2 } };
  const times = async (from: typeof shape) => (await predict(from, call, plain)).map(({ name, us }) => [name, us]);
  const { generationConfig } = checkpoint; // says how long sequences are at most
  assert.equal(await times({ ...shape, generationConfig }), await times(checkpoint));
});

test("a prompt that is read in pieces counts each of them", async () => {
  const shape = await shapeOf("gpt2", SHAPES.gpt2);
  const plans = await predict(shape, { rows: 5, input_length: 1001, options: { max_new_tokens: 1 } }, plain);
  assert.equal(
    plans.map(({ name, count, launches }) => [name, count, launches[0].bytes > 0]),
    [
      ["prompt", 2, true], // 5,000 rows are 2 x 2,048 and 904
      ["prompt", 1, true],
      ["step", 1, true],
    ],
  );
});

test("devices are found by the names that adapters and people give them", () => {
  const found = (text: string): string | undefined => findDevice(text)?.name;
  assert.equal(
    [
      found("NVIDIA GeForce RTX 4070"),
      found("apple m1 max"),
      found("M2"),
      found("Intel(R) Iris(R) Xe"),
      found("RTX 40"),
    ],
    ["RTX 4070", "M1 Max", "M2", undefined, undefined],
  );
  assert.is(findShape("ALL-minilm-l6-V2"), "all-MiniLM-L6-v2");
});

test("measured roofs give the figures of the device that is here", async () => {
  const copies = [
    { bytes: 1e3, gb_s: 1 },
    { bytes: 1e6, gb_s: 100 },
  ];
  const figures = measuredFigures("here", (await device()).class, { copies, gflop_s: 500, launch_us: 3 }, 1e6);
  assert.equal([figures.gb_s, figures.tflop_s, figures.launch_us], [100, 0.5, 3]);
});

test("results of a device give its figures, and what launches took on it", () => {
  const us = { median: 125, p10: 120, p90: 130 }; // 120 us for what takes 60 at the roof
  const row = { bench: "scan", shape: "a", us, variant: "direct", format: "f32", bytes: 6e6, flops: 75e4 };
  const roofs = { copies: [{ bytes: 1e6, gb_s: 100 }], gflop_s: 1000, launch_us: 5 };
  const setting = { runtime: "node", adapter: "a GPU", clock: "timestamps", variants: "gpu with subgroups" } as const;
  const figures = resultFigures({ ...setting, date: "", vendor: "amd", subgroup: 32, roofs, rows: [row] });
  assert.equal([figures.name, figures.gb_s, figures.class.vendor, figures.class.subgroup], ["a GPU", 100, "amd", 32]);
  const [one] = expectPlan(scans(1_500_000, 1), figures);
  near(one.us, 5 + 240);
  assert.is(one.bound, "memory");
  const none = resultFigures({ ...setting, date: "", roofs, rows: [] }); // by its speed, as nothing was measured
  assert.equal(expectPlan(scans(64, 1), none), expectPlan(scans(64, 1), { ...none, observed: undefined }));
});

test("the command prints a line for each kind of launch, and refuses what it does not know", async () => {
  const lines = await roofline("llama-3.2-1b", { gpu: "RTX 4070", dtype: "int4", prompt: "16", tokens: "8" });
  assert.match(lines[0], /^RTX 4070: 504 GB\/s/);
  assert.ok(lines.some((line) => / 16 .*memory {2}matmul rows\.subgroup {2}decoder\.layers\.\*\.fc1$/.test(line)));
  assert.match(lines.at(-2) ?? "", /^first token after [\d.]+ ms; then \d+ tokens\/s$/);
  assert.match(lines.at(-1) ?? "", /^1 x 8 new tokens: /);
  const own = await roofline("gpt2", { bandwidth: "50", tflops: "2", vendor: "intel" });
  assert.match(own[0], /^this GPU: 50 GB\/s, 2 TFLOP\/s/);
  await refuses(() => roofline("gpt2", { gpu: "Voodoo 2" }), Error, /^--gpu must be one of M1, .* got Voodoo 2$/);
  await refuses(() => roofline("gpt2", { dtype: "int2" }), Error, /^--dtype must be one of auto, .* got int2$/);
  await refuses(() => roofline("gpt2", { rows: "none" }), Error, /^--rows must be a number of at least 1, got none$/);
  await refuses(() => roofline(undefined, {}), Error, /^MODEL must be a folder, .* all-MiniLM-L6-v2/);
});
