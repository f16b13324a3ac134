import { matmul } from "../src/kernels/index.js";
import type { DeviceClass } from "../src/runtime/device_class.js";
import { gpu as openGpu } from "../src/runtime/gpu.js";
import type { Dims, Kernel, Variant } from "../src/runtime/kernel.js";
import { candidates, chooseVariant } from "../src/runtime/variants.js";
import { args, values } from "./matmul.args.js";
import { classOf } from "./support/device_class.js";
import { assert, randoms, suite } from "./support/harness.js";
import { recordLaunch } from "./support/launch.js";

const NODE = "a choice by sizes, and a text that Node compiles, are the same everywhere";
const test = suite("tiles of matmul", { deno: NODE, chrome: NODE });

const product = matmul as unknown as Kernel;
const sizes = (N: number, O: number, I = O): Dims => ({ N, I, O, J: 1, WEIGHT_FORMAT: 0, NORM: 0 });

/** The variant, rows and outputs of a tile, slices of a workgroup, and workgroups. */
function tiles(size: Dims, on: DeviceClass): readonly [string, ...number[]] {
  const { variant, dims } = chooseVariant(product, size, on);
  if (variant.name !== "shared") return [variant.name, variant.groups(dims)];
  const { DOWN, ACROSS, FOURS, SPLIT } = dims;
  return [variant.name, 4 * DOWN * FOURS, 4 * ACROSS * FOURS, SPLIT, variant.groups(dims)];
}

test("there are workgroups for all cores, and tiles are as large as that allows", () => {
  const on = classOf("gpu", 32, { vendor: "nvidia" });
  assert.equal(tiles(sizes(16, 768), on), ["rows.subgroup", 192]);
  assert.equal(tiles(sizes(16, 8192, 2048), on), ["shared", 16, 64, 1, 128]);
  assert.equal(tiles(sizes(32, 768), on), ["shared", 16, 16, 4, 96]);
  assert.equal(tiles(sizes(64, 768), on), ["shared", 32, 16, 4, 96]);
  assert.equal(tiles(sizes(128, 768), on), ["shared", 32, 32, 2, 96]);
  assert.equal(tiles(sizes(256, 768), on), ["shared", 32, 32, 1, 192]);
  assert.equal(tiles(sizes(512, 2048), on), ["shared", 64, 64, 1, 256]);
  assert.equal(tiles(sizes(512, 12, 12), on), ["shared", 32, 32, 1, 16]); // a sum too short for slices
});

test("64 sums an invocation are for GPUs with registers for them, and Intel's compiler may not load ahead of them", () => {
  const shape = (vendor: string, subgroupSize?: number): unknown => {
    const { FOURS, UNROLL } = chooseVariant(
      product,
      sizes(512, 2048),
      classOf("gpu", 32, { vendor, subgroupSize, unroll: true }),
    ).dims;
    return [FOURS, UNROLL];
  };
  for (const vendor of ["amd", "apple", "nvidia"]) assert.equal(shape(vendor), [2, 1]);
  for (const vendor of ["qualcomm", "", "intel"]) assert.equal(shape(vendor), [1, 1]);
  assert.equal(shape("intel", 8), [2, 0]);
});

/** A product in tiles of 32 x 32, unrolled or not, with other constants. */
async function computed(size: Readonly<Record<string, number>>, unroll: boolean, more: Dims = {}): Promise<unknown> {
  const gpu = await openGpu({ adapter: "gpu", unroll, tuned: false });
  const shared = product.variants.find(({ name }) => name === "shared") as Variant;
  const constants = (d: Dims): Dims => ({ DOWN: 8, ACROSS: 8, FOURS: 1, SPLIT: 1, GATED: d.J - 1, ...more });
  const kernel = { ...product, variants: [{ ...shared, constants }] };
  const { launch, inputs, outputs } = recordLaunch(kernel, args(size, randoms(7)), values(size));
  for (const [t, { data }] of inputs) gpu.write(t, data);
  const prepared = await gpu.prepare({ name: "product", launches: [launch] });
  const [y] = await gpu.submit(
    (encoder) => {
      const pass = encoder.beginComputePass();
      prepared.encode(pass, 0);
      pass.end();
    },
    outputs.map((t) => prepared.locate(t)),
  );
  gpu.dispose();
  return y;
}

test("unrolled tiles compute what they compute in a loop, to the bit", async () => {
  const size = { N: 17, I: 36, O: 20, format: 3, gated: 1, activation: 4, residual: 1 };
  assert.equal(await computed(size, true), await computed(size, false));
});

test("weights of f16 are staged as they are stored, or as f32, to the same bits", async () => {
  const size = { N: 35, I: 52, O: 37, format: 1 };
  const bits = await computed(size, false);
  assert.equal(await computed(size, false, { HALVES: 1 }), bits);
  const choices = (on: Dims): Dims[] =>
    candidates(product, on, classOf("gpu", 32)).flatMap(({ constants }) => (constants.HALVES ? [constants] : []));
  assert.is(choices({ ...sizes(35, 37, 52), WEIGHT_FORMAT: 1 }).length, 1);
  assert.equal([...choices(sizes(35, 37, 52)), ...choices({ ...sizes(35, 37, 50), WEIGHT_FORMAT: 1 })], []);
});
