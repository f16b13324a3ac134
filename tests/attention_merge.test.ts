import { attentionMerge, attentionStep } from "../src/kernels/index.js";
import type { Kernel } from "../src/runtime/kernel.js";
import { record } from "../src/runtime/plan.js";
import { tensor } from "../src/runtime/tensor.js";
import { args, values } from "./attention_merge.args.js";
import { args as stepArgs, values as stepValues } from "./attention_step.args.js";
import { assert, device, randoms, suite } from "./support/harness.js";
import { checkKernel } from "./support/kernel.js";

checkKernel(attentionMerge, {
  args,
  values,
  tolerance: 1e-6, // measured 3e-7
  cases: {
    "one part": { R: 1, M: 64, H: 1, E: 4 },
    "rows of different lengths": { R: 9, M: 300, H: 3, E: 20, position: 0 },
    "scores far from one another": { R: 3, M: 700, H: 2, E: 8, gain: 60 },
    "scores far below zero": { R: 1, M: 200, H: 1, E: 8, gain: -1e4 },
    "eight parts": { R: 1, M: 512, H: 2, E: 64 },
    "one over eight parts": { R: 1, M: 576, H: 2, E: 64, position: 512 },
    "heads of 10": { R: 2, M: 130, H: 3, E: 10 },
    "heads of 1": { R: 2, M: 130, H: 1, E: 1 },
    "heads of 256": { R: 2, M: 130, H: 1, E: 256 },
    "a long past": { R: 1, M: 4230, H: 12, E: 64, position: 4225 },
    "idle rows": { R: 5, M: 130, H: 2, E: 6, idle: 1 },
    "status 0 writes nothing": { R: 1, M: 64, H: 1, E: 4, status: 0 },
  },
  mutants: {
    direct: {
      "parts past the row's": [
        "rows of different lengths",
        (wgsl) => wgsl.replace("rows[r].y / 64u", "rows[r].y / 60u"),
      ],
      "the last part for all past the end": [
        "rows of different lengths",
        (wgsl) => wgsl.replace("select(LOWEST, top, first + k < count)", "top"),
      ],
      "parts as if they were alike": ["scores far from one another", (wgsl) => wgsl.replace("exp(b.top - top)", "1.0")],
      "a total that does not decay": [
        "scores far from one another",
        (wgsl) => wgsl.replace("a.total * u + b.total * v", "a.total + b.total * v"),
      ],
      "a total of the first part": [
        "one over eight parts",
        (wgsl) => wgsl.replace("element(parts[part + width + 4u", "element(parts[at + width + 4u"),
      ],
      "heads over each other": [
        "heads of 10",
        (wgsl) => wgsl.replace("out[i] = result", "out[r * width + i % width] = result"),
      ],
      "idle rows that keep what lay there": [
        "idle rows",
        (wgsl) => wgsl.replace("{ out[i] = Chunk(); return; }", "{ return; }"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "parts of another width": [
      { R: 1, M: 64, H: 1, E: 4 },
      (args) => {
        args.parts = undefined;
      },
      /parts must be f32\[R,H\*Y\]/,
    ],
  },
});

const law = suite("steps in parts", { chrome: "Node has its shader compiler" });

law("the bits of a row do not depend on whether its keys are split", async () => {
  const gpu = await device();
  for (const [M, position] of [
    [600, 599],
    [300, 64],
    [300, 2],
  ]) {
    const size = { B: 2, W: 2, M, H: 4, K: 2, E: 64, position, rotary: 1 };
    const given = Object.entries(stepArgs(size, randoms(3))).flatMap(([name, filled]) =>
      filled ? [[name, tensor(name, filled.dtype, filled.shape), filled.data] as const] : [],
    );
    const tensors = Object.fromEntries(given.map(([name, t]) => [name, t]));
    const variants = attentionStep.variants.filter(({ name }) => name === "shared");
    const shared = { ...attentionStep, variants } as unknown as Kernel;
    const attend = async (split: number): Promise<Float32Array> => {
      for (const [, t, data] of given) gpu.write(t, data);
      const whole = tensor("whole", "f32", [4, 4 * 64]);
      const plan = record("step", (run) => {
        const { Y, ...rest } = stepValues({ ...size, split });
        const parts = run(shared, "step", split ? tensors : { ...tensors, out: whole }, { Y, ...rest }).out;
        if (split) run(attentionMerge, "merge", { rows: tensors.rows, parts, out: whole }, { H: 4, E: 64, Y });
      });
      const prepared = await gpu.prepare(plan);
      const [got] = await prepared.run({ read: [whole] });
      prepared.dispose();
      gpu.memory.free([whole]);
      return got as Float32Array;
    };
    assert.equal(await attend(1), await attend(0));
    gpu.memory.free(Object.values(tensors));
  }
});
