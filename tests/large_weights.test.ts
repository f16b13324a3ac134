import { type Gpu, gpu as openGpu, type HostTensor, load } from "../src/index.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, device, folder, suite } from "./support/harness.js";

const test = suite("weights larger than a binding");

const LIMITS = [
  ["f32", 20000],
  ["int8", 5000],
] as const;

/** The device of all tests, as one that can bind no more bytes of a weight than these. */
async function limited(weightLimit: number): Promise<Gpu> {
  const gpu = await device();
  return { ...gpu, memory: { ...gpu.memory, weightLimit } };
}

test("the limit that gpu() is given is the one that weights are split by", async () => {
  const gpu = await openGpu({ weightLimit: 5000 });
  assert.is(gpu.memory.weightLimit, 5000);
  gpu.dispose();
});

for (const name of ["bert", "roberta", "marian", "gpt2", "llama"]) {
  test(`${name}: in parts it gives what it gives whole`, async () => {
    const path = `tests/fixtures/${name}`;
    const { cases } = await readGolden(path);
    for (const [dtype, limit] of LIMITS) {
      const [whole, parts] = [
        await load(folder(path), { gpu: await device(), dtype }),
        await load(folder(path), { gpu: await limited(limit), dtype }),
      ];
      const split = [...parts.weights.tensors].filter(({ name: own }) => parts.weights.parts(own).length > 1);
      assert.ok(split.length > 3, `${split.length} tensors are split`);
      for (const { kind, inputs, options } of cases.slice(0, 4)) {
        if (kind === "generate") {
          const few = { ...options, max_new_tokens: 5 };
          const [want, got] = [await whole.generate(inputs, few), await parts.generate(inputs, few)];
          assert.equal(got.sequences, want.sequences);
          continue;
        }
        const want = (await whole.forward(inputs)) as Readonly<Record<string, HostTensor>>;
        const got = (await parts.forward(inputs)) as Readonly<Record<string, HostTensor>>;
        for (const [output, tensor] of Object.entries(want)) assert.ok(worstError(got[output], tensor) < 1e-5, output);
      }
      whole.dispose();
      parts.dispose();
    }
  });
}
