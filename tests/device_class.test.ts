import { describeAdapter } from "../src/runtime/device.js";
import { deviceClass } from "../src/runtime/device_class.js";
import { withSubgroupSize } from "../src/runtime/wgsl.js";
import { assert, device, suite } from "./support/harness.js";

const test = suite("device classes");

const info = (more: Partial<GPUAdapterInfo>): GPUAdapterInfo => more as GPUAdapterInfo;
const classOf = (more: Partial<GPUAdapterInfo>, features: readonly string[] = [], options = {}) =>
  deviceClass(describeAdapter(info(more)), features, options, new Set());

test("an adapter is judged by what it is", () => {
  const kinds = {
    lavapipe: { vendor: "mesa", architecture: "software", device: "llvmpipe", description: "llvmpipe: Mesa 25.0.7" },
    "lavapipe in a page": { vendor: "mesa", architecture: "software", isFallbackAdapter: true },
    "lavapipe in an older page": { vendor: "mesa", architecture: "software" },
    SwiftShader: { vendor: "google", architecture: "swiftshader", isFallbackAdapter: false },
    WARP: { vendor: "microsoft", device: "Microsoft Basic Render Driver" },
    "Apple M1, driver of Mesa": {
      vendor: "mesa",
      architecture: "software",
      device: "apple-m1",
      description: "Honeykrisp",
    },
    "the same in a page": { vendor: "mesa", architecture: "software", isFallbackAdapter: false },
    "RX 7900": { vendor: "amd", architecture: "rdna-3", description: "radv: Mesa 25.0.7", isFallbackAdapter: false },
    nothing: {},
  };
  const found = Object.entries(kinds).map(([name, of]) => [name, classOf(of).adapter, classOf(of).unroll]);
  assert.equal(found, [
    ["lavapipe", "cpu", false],
    ["lavapipe in a page", "cpu", false],
    ["lavapipe in an older page", "cpu", false],
    ["SwiftShader", "cpu", false],
    ["WARP", "cpu", false],
    ["Apple M1, driver of Mesa", "gpu", true],
    ["the same in a page", "gpu", true],
    ["RX 7900", "gpu", true],
    ["nothing", "gpu", true],
  ]);
  assert.is(classOf(kinds["Apple M1, driver of Mesa"]).vendor, "apple");
});

test("a program may ask for the other class, and for unrolled loops", () => {
  const software = { vendor: "google", architecture: "swiftshader" };
  assert.equal(
    [classOf(software, [], { adapter: "gpu" }).adapter, classOf(software, [], { adapter: "gpu" }).unroll],
    ["gpu", false],
  );
  assert.is(classOf(software, [], { unroll: true }).unroll, true);
});

test("shaders are compiled for the smallest subgroups of an Intel GPU, which then have one size", () => {
  const sizes = { subgroupMinSize: 8, subgroupMaxSize: 32 };
  const [features, vendor] = [["subgroups", "subgroup-size-control"], "intel"];
  const { subgroup, subgroupSize } = classOf({ ...sizes, vendor }, features);
  assert.equal([subgroup, subgroupSize], [8, 8]);
  assert.is(classOf({ ...sizes, vendor, subgroupMinSize: 16 }, features).subgroupSize, 16);
  assert.is(classOf({ ...sizes, vendor }, ["subgroups"]).subgroupSize, undefined);
  assert.is(classOf({ vendor }, features).subgroupSize, undefined);
  const amd = classOf({ ...sizes, vendor: "amd" }, features);
  assert.equal([amd.subgroup, amd.subgroupSize], [0, undefined]);
});

test("matrix units are those that sum in f32, of numbers that shaders may use", () => {
  const config = (componentType: string, resultComponentType: string, M: number, N: number, K: number) => ({
    ...{ componentType, resultComponentType, M, N, K },
  });
  const subgroupMatrixConfigs = [
    config("f16", "f16", 16, 16, 16),
    config("f16", "f32", 8, 16, 16),
    config("f32", "f32", 8, 8, 8),
    config("i8", "i32", 16, 16, 32),
  ];
  const adapter = { vendor: "amd", subgroupMatrixConfigs } as Partial<GPUAdapterInfo>;
  const half = { element: "f16", rows: 8, outputs: 16, inputs: 16 };
  const full = { element: "f32", rows: 8, outputs: 8, inputs: 8 };
  const feature = "chromium-experimental-subgroup-matrix";
  assert.equal(classOf(adapter, ["subgroups", "shader-f16", feature]).matrices, [half, full]);
  assert.equal(classOf(adapter, ["subgroups", feature]).matrices, [full]);
  assert.equal(classOf(adapter, ["subgroups", "shader-f16"]).matrices, []);
  assert.equal(classOf({ vendor: "amd" }, ["shader-f16", feature]).matrices, []);
});

test("a text for one subgroup size compiles where the device has it", async () => {
  const main = (size: string): string => `@compute @workgroup_size(${size})\nfn main() { _ = LANES; }`;
  const text = withSubgroupSize(`enable subgroups;\nconst LANES: u32 = 64;\n${main("LANES")}`, 8);
  assert.is(text.match(/enable subgroups;/g)?.length, 1);
  assert.is(withSubgroupSize(main("8"), 16), main("8"));
  const { device: own, info: adapter } = await device();
  if (!own.features.has("subgroup-size-control")) return "this device cannot ask for a subgroup size";
  const code = withSubgroupSize(`const LANES: u32 = 64;\n${main("LANES")}`, adapter.subgroupMinSize);
  const module = own.createShaderModule({ code });
  await own.createComputePipelineAsync({ layout: "auto", compute: { module } });
  return undefined;
});
