import { matmul } from "../src/kernels/index.js";
import type { DeviceClass } from "../src/runtime/device_class.js";
import { gpu as openGpu } from "../src/runtime/gpu.js";
import type { Dims, Kernel } from "../src/runtime/kernel.js";
import { chooseVariant } from "../src/runtime/variants.js";
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

test("64 sums an invocation are for GPUs with registers for them", () => {
  const width = (vendor: string, subgroupSize?: number): number | string =>
    tiles(sizes(512, 2048), classOf("gpu", 32, { vendor, subgroupSize }))[2];
  assert.equal(
    ["amd", "apple", "nvidia", "qualcomm", ""].map((vendor) => width(vendor)),
    [64, 64, 64, 32, 32],
  );
  assert.equal([width("intel"), width("intel", 8)], [32, 64]);
});

test("unrolled tiles compute what they compute in a loop, to the bit", async () => {
  const size = { N: 17, I: 36, O: 20, format: 3, gated: 1, activation: 4, residual: 1 };
  const computed = async (unroll: boolean): Promise<unknown> => {
    const gpu = await openGpu({ adapter: "gpu", unroll, tuned: false });
    const { launch, inputs, outputs } = recordLaunch(product, args(size, randoms(7)), values(size));
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
  };
  assert.equal(await computed(true), await computed(false));
});
