import { gpu as openGpu, type HostTensor, load } from "../src/index.js";
import { folder } from "./support/checkpoint.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, suite } from "./support/harness.js";

const test = suite("weights larger than a binding");

const LIMITS = [
  ["f32", 20000],
  ["int8", 5000],
] as const;

for (const name of ["bert", "roberta", "marian", "gpt2", "llama"]) {
  test(`${name}: in parts it gives what it gives whole`, async () => {
    for (const [dtype, weightLimit] of LIMITS) {
      const gpu = await openGpu({ guard: true, tuned: false, weightLimit });
      const [whole, parts] = [
        await load(folder(`tests/fixtures/${name}`), { dtype }),
        await load(folder(`tests/fixtures/${name}`), { gpu, dtype }),
      ];
      const split = [...parts.weights.tensors].filter(({ name: own }) => parts.weights.parts(own).length > 1);
      assert.ok(split.length > 3, `${split.length} tensors are split`);
      const { cases } = await readGolden(`tests/fixtures/${name}`);
      for (const { kind, inputs, options } of cases.slice(0, 4)) {
        if (kind === "generate") {
          const few = { ...options, max_new_tokens: 5 };
          const [want, got] = [await whole.generate(inputs, few), await parts.generate(inputs, few)];
          assert.equal(got.sequences, want.sequences);
          continue;
        }
        const want = (await whole.forward(inputs as never)) as Readonly<Record<string, HostTensor>>;
        const got = (await parts.forward(inputs as never)) as Readonly<Record<string, HostTensor>>;
        for (const [output, tensor] of Object.entries(want)) assert.ok(worstError(got[output], tensor) < 1e-5, output);
      }
      whole.dispose();
      parts.dispose();
      gpu.dispose();
    }
  });
}
