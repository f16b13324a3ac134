import { countLaunches, load, samplePlans, verify } from "../src/index.js";
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
