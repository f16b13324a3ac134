import { attention, attentionStep } from "../src/kernels/index.js";
import { gpu as openGpu } from "../src/runtime/gpu.js";
import type { Kernel } from "../src/runtime/kernel.js";
import { chooseVariant } from "../src/runtime/variants.js";
import * as attentionArgs from "./attention.args.js";
import * as stepArgs from "./attention_step.args.js";
import { classOf } from "./support/device_class.js";
import { assert, randoms, suite } from "./support/harness.js";
import { type Args, recordLaunch } from "./support/launch.js";

const elsewhere = "Node has Chrome's shader compiler; what is unrolled takes seconds to compile";
const test = suite("attention as GPUs run it", { deno: elsewhere, chrome: elsewhere });

type Size = Readonly<Record<string, number>>;

/** What the variant for GPUs computes, unrolled or not, where one number of an argument is NaN. */
async function computed(
  typed: unknown,
  { args, values }: { args(size: Size, random: () => number): Args; values(size: Size): Size },
  size: Size,
  [argument, at]: readonly [string, number],
  unroll: boolean,
): Promise<number[]> {
  const gpu = await openGpu({ adapter: "gpu", unroll, tuned: false });
  const kernel = typed as Kernel;
  const shared = { ...kernel, variants: kernel.variants.filter(({ name }) => name === "shared") };
  const filled = args(size, randoms(7));
  filled[argument]!.data[at] = NaN;
  const { launch, inputs } = recordLaunch(shared, filled, values(size));
  for (const [t, { data }] of inputs) gpu.write(t, data);
  const prepared = await gpu.prepare({ name: "attention", launches: [launch] });
  const [out] = await prepared.run({ read: [launch.tensors.out!] });
  gpu.dispose();
  return [...out];
}

const same = (got: number[], want: number[]): void =>
  want.forEach((value, i) => assert.ok(Object.is(got[i], value) || Math.abs(got[i] - value) < 1e-6, `${i}: ${value}`));

test("unrolled attention computes what it computes in loops, and keeps a NaN from rows that do not see it", async () => {
  const size = { B: 2, S: 35, T: 35, H: 1, K: 1, E: 12, packed: 1, causal: 1 };
  const place = ["kv", 24 * 20 + 12 + 5] as const; // of a value
  const got = await computed(attention, attentionArgs, size, place, true);
  same(got, await computed(attention, attentionArgs, size, place, false));
  const rows = got.flatMap((value, i) => (Number.isNaN(value) ? [Math.floor(i / 12)] : []));
  assert.equal(rows, [55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69], "the last sentence lies first");
});

test("unrolled steps compute what they compute in loops", async () => {
  const sizes: Size[] = [
    { B: 1, W: 2, M: 130, H: 2, K: 1, E: 24, position: 70, rotary: 1, norms: 1, split: 1 },
    { B: 1, W: 2, M: 130, H: 2, K: 1, E: 24, position: 70, half: 1 },
  ];
  for (const size of sizes) {
    const place = ["qkv", 3] as const;
    const got = await computed(attentionStep, stepArgs, size, place, true);
    assert.ok(got.some(Number.isNaN));
    same(got, await computed(attentionStep, stepArgs, size, place, false));
  }
});

test("a lane takes as many rows as a sentence has and as its registers hold", () => {
  const rows = (vendor: string, E: number, T: number): number => {
    const size = { B: 2, S: 4, T, H: 1, K: 1, E };
    const { launch } = recordLaunch(attention, attentionArgs.args(size, randoms(7)), attentionArgs.values(size));
    return chooseVariant(launch.kernel, launch.dims, classOf("gpu", 32, { vendor })).dims.DEEP;
  };
  assert.equal(
    [1, 8, 9, 16, 17, 300].map((T) => rows("amd", 64, T)),
    [1, 1, 2, 2, 4, 4],
  );
  for (const [vendor, most] of Object.entries({ amd: [4, 4, 2], apple: [4, 2, 1], intel: [2, 1, 1] }))
    assert.equal(
      [64, 128, 256].map((E) => rows(vendor, E, 300)),
      most,
      vendor,
    );
});
