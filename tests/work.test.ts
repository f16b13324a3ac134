import { gpu as openGpu, type Gpu, load, record, tensor } from "../src/index.js";
import { attention, matmul } from "../src/kernels/index.js";
import { createBudget } from "../src/runtime/budget.js";
import type { Kernel } from "../src/runtime/kernel.js";
import { hasRows, rowBytes, rowRanges } from "../src/runtime/launches.js";
import type { Launch, Plan } from "../src/runtime/plan.js";
import { elements, type Tensor } from "../src/runtime/tensor.js";
import { candidates, choiceOf } from "../src/runtime/variants.js";
import { assert, folder, randoms, suite } from "./support/harness.js";
import { padded } from "./support/rows.js";

const test = suite("long work is cut");
const IN_NODE = { chrome: "Node shows it", deno: "Node shows it" };

const launchOf = (kernel: unknown, dims: Record<string, number>): Launch => ({
  kernel: kernel as Kernel,
  label: "",
  tensors: {},
  dims,
});
const product = (N: number): Launch => launchOf(matmul, { N, I: 1000, O: 1000, J: 1 }); // 2e6 operations a row

test("a launch is cut into ranges of 64 rows or multiples, none above the limit, that cover all rows", () => {
  assert.equal(rowRanges(product(1000), 20e9), [{ first: 0, count: 1000 }]);
  assert.equal(rowRanges(product(1000), 500e6), [
    { first: 0, count: 192 },
    { first: 192, count: 192 },
    { first: 384, count: 192 },
    { first: 576, count: 192 },
    { first: 768, count: 192 },
    { first: 960, count: 40 },
  ]);
  assert.equal(rowRanges(product(100), 1), [
    { first: 0, count: 64 },
    { first: 64, count: 36 },
  ]);
});

test("a launch whose rows depend on each other stays whole", () => {
  const { rowAxis: _, ...whole } = matmul as unknown as Kernel;
  assert.equal(rowRanges(launchOf(whole, { N: 1000, I: 1000, O: 1000, J: 1 }), 1), [{ first: 0, count: 1 }]);
});

test("arguments that begin with the rows are cut, all others are whole", () => {
  const cut = (kernel: unknown): string[] => {
    const { reads, writes } = kernel as Kernel;
    return Object.keys({ ...reads, ...writes }).filter((name) => hasRows(kernel as Kernel, name));
  };
  assert.equal(cut(matmul), ["x", "residual", "y"]);
  assert.equal(cut(attention), ["rows", "q", "out"]);
  assert.is(rowBytes(tensor("x", "f32", [1000, 5]), 64), 64 * 5 * 4);
});

test("work is cut into submits of at most the budget, in its order", () => {
  const { cut } = createBudget(10);
  const work = [4, 4, 4, 20, 1, 9, 1].map((flops, index) => ({ flops, index }));
  const lists = cut(work);
  assert.equal(
    lists.map((list) => list.map(({ flops }) => flops)),
    [[4, 4], [4], [20], [1, 9], [1]],
  );
  assert.equal(lists.flat(), work);
  assert.equal(cut([]), [[]]);
});

test("the budget goes towards what takes 100 ms", async () => {
  const budget = createBudget(50e9);
  budget.learn([50e9, 50e9], [Promise.resolve(0), Promise.resolve(50)]); // 1e9 a millisecond
  await Promise.resolve().then(() => new Promise((resolve) => setTimeout(resolve, 0)));
  assert.equal(budget.cut([75e9, 1].map((flops) => ({ flops }))).length, 2);
  assert.equal(budget.cut([74e9, 1e9].map((flops) => ({ flops }))).length, 1);
});

/** Fills inputs with random values, runs a plan, and returns the bits of `out`. */
async function bitsOf(gpu: Gpu, plan: Plan, out: Tensor, choose?: Gpu["choose"]): Promise<Uint32Array> {
  const prepared = await gpu.prepare(plan, undefined, choose);
  const [values] = await prepared.run({ read: [out] });
  prepared.dispose();
  return new Uint32Array(values.buffer);
}

function write(gpu: Gpu, ...inputs: readonly Tensor[]): void {
  const random = randoms(7);
  for (const t of inputs) gpu.write(t, Float32Array.from({ length: elements(t) }, random));
}

/** A plan of one launch over N rows, its result, and a function that writes its inputs. */
interface Sample {
  readonly plan: Plan;
  readonly out: Tensor;
  readonly write: (gpu: Gpu) => void;
}

function sampleProduct(N: number, I: number, O: number): Sample {
  const [x, weight, residual, out] = [
    tensor("x", "f32", [N, I]),
    tensor("weight", "f32", [O, I], "weight"),
    tensor("residual", "f32", [N, O]),
    tensor("y", "f32", [N, O]),
  ];
  const plan = record("product", (run) => {
    run(matmul, "product", { x, weight, residual, y: out }, { J: 1, O, y_at: 0, eps: 0 });
  });
  return { plan, out, write: (gpu) => write(gpu, x, weight, residual) };
}

function sampleAttention(N: number): Sample {
  const [H, E] = [2, 8];
  const [rows, spans, qkv, out] = [
    tensor("rows", "u32", [N, 4]),
    tensor("spans", "u32", [2, 2]),
    tensor("qkv", "f32", [N, 3 * H * E]),
    tensor("out", "f32", [N, H * E]),
  ];
  const half = Math.floor(N / 2);
  const plan = record("attention", (run) => {
    const sizes = { H, K: H, E, k_at: H * E, v_at: 2 * H * E, scale: 0.3 };
    run(attention, "attention", { rows, spans, q: qkv, kv: qkv, out }, { ...sizes, CAUSAL: 1 });
  });
  const packed = Array.from({ length: N }, (_, n) => [0, n < half ? n : n - half, Number(n >= half), 0]);
  return {
    plan,
    out,
    write(gpu) {
      write(gpu, qkv);
      gpu.write(rows, Uint32Array.from(packed.flat()));
      gpu.write(spans, Uint32Array.of(0, half, half, N - half));
    },
  };
}

const SAMPLES = { "matmul of 150 rows": sampleProduct(150, 64, 132), "attention of 150 rows": sampleAttention(150) };

for (const [name, { plan, out, write: fill }] of Object.entries(SAMPLES)) {
  for (const adapter of ["cpu", "gpu"] as const) {
    test(
      `${name}, variants for ${adapter}: in ranges of rows it gives the bits that it gives whole, in every variant`,
      async () => {
        const [whole, ranges] = [
          await openGpu({ adapter, features: ["subgroups"] }),
          await openGpu({ adapter, features: ["subgroups"], launchFlops: 1, submitFlops: 1 }),
        ];
        fill(whole);
        fill(ranges);
        const [{ kernel, dims }] = plan.launches;
        for (const one of candidates(kernel, dims, whole.class)) {
          const choose: Gpu["choose"] = (kernel, dims) => choiceOf(kernel, dims, one, whole.class);
          const [want, got] = [await bitsOf(whole, plan, out, choose), await bitsOf(ranges, plan, out, choose)];
          assert.equal(got, want, JSON.stringify(one));
          assert.ok(want.some((bits) => bits !== 0));
        }
        whole.dispose();
        ranges.dispose();
      },
      IN_NODE,
    );
  }
}

const ids = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, t) => 5 + ((t * 7 + seed * 13) % 90));

test("models give the same bits, in many submits", async () => {
  const [whole, cut] = [
    await openGpu({ tuned: false }),
    await openGpu({ tuned: false, launchFlops: 1e4, submitFlops: 1e5 }),
  ];
  let submits = 0;
  const { queue } = cut.device;
  const submit = queue.submit.bind(queue);
  queue.submit = (commands) => {
    submits++;
    return submit(commands);
  };
  const rows = padded([40, 60, 33, 70].map(ids), "right");
  const both = async (name: string, call: (model: Awaited<ReturnType<typeof load>>) => Promise<unknown>) => {
    const results: unknown[] = [];
    for (const gpu of [whole, cut]) {
      const model = await load(folder(`tests/fixtures/${name}`), { gpu });
      results.push(await call(model));
      model.dispose();
    }
    assert.equal(results[1], results[0], name);
  };
  await both("bert", async (model) => (await model.encode(rows)).last_hidden_state.data);
  assert.ok(submits > 10, `${submits} submits`);
  await both("gpt2", async (model) => (await model.forward(rows)).logits?.data);
  await both("llama", async (model) => {
    const { sequences } = await model.generate(rows, { max_new_tokens: 5, num_beams: 2 });
    return sequences;
  });
  whole.dispose();
  cut.dispose();
});
