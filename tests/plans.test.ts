import { countLaunches, describePlan, load, samplePlans, verify } from "../src/index.js";
import { assert, device, folder, suite } from "./support/harness.js";

const test = suite("sample plans");
const MODELS = ["bert", "marian", "gpt2", "qwen3", "whisper"];

for (const name of MODELS) {
  test(`${name}: encoder, prompt and step agree with their references, and leave no memory behind`, async () => {
    const gpu = await device();
    await using model = await load(folder(`tests/fixtures/${name}`), { gpu });
    const { encoder, decoder } = model.architecture;
    const samples = await model.run(async (core) => samplePlans(core, 10));
    const names = samples.map(({ plan }) => plan.name);
    const front = encoder?.stem ? ["stem"] : [];
    assert.equal(names, [...front, ...(encoder ? ["encoder"] : []), ...(decoder ? ["prompt", "step"] : [])]);
    const layers = decoder ? "decoder.layers.0" : "encoder.layers.0";
    const last = samples[samples.length - 1].plan;
    assert.is(countLaunches(last, layers), encoder && decoder ? 11 : 7);
    const before = gpu.use().state;
    for (const sample of samples) {
      sample.write();
      assert.is(await verify(gpu, sample.plan), undefined, sample.plan.name);
      sample.dispose();
    }
    assert.is(gpu.use().state, before);
  });
}

test(
  "what is said of launches is what runs: variants, workgroups and texts",
  async () => {
    const gpu = await device();
    await using model = await load(folder("tests/fixtures/marian"), { gpu });
    const [{ plan, dispose }] = await model.run(async (core) => samplePlans(core, 10));
    const prepared = await gpu.prepare(plan);
    const described = describePlan(gpu, plan);
    for (const [index, { kernel, label, variant, groups, bytes, reads, writes, wgsl }] of described.entries()) {
      const launch = plan.launches[index];
      assert.equal([kernel, label, bytes], [launch.kernel.name, launch.label, launch.kernel.bytes(launch.dims)]);
      assert.is(variant, gpu.choose(launch.kernel, launch.dims).variant.name);
      assert.equal({ ...reads, ...writes }, Object.fromEntries(Object.entries(launch.tensors).filter(([, t]) => t)));
      const dispatched: [number, number][] = [];
      const pass = {
        setPipeline() {},
        setBindGroup() {},
        dispatchWorkgroups: (...xy: [number, number]) => dispatched.push(xy),
      };
      prepared.encode(pass as unknown as GPUComputePassEncoder, index);
      assert.equal(dispatched, [[groups.x, groups.y]]);
      const module = gpu.device.createShaderModule({ code: wgsl });
      assert.equal(
        (await module.getCompilationInfo()).messages.filter(({ type }) => type === "error"),
        [],
      );
    }
    prepared.dispose();
    dispose();
  },
  { deno: "Deno has no getCompilationInfo" },
);
