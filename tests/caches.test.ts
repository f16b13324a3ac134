import { type Gpu, gpu as openGpu, load, type Model, memoryPlan } from "../src/index.js";
import { OptionError } from "../src/runtime/errors.js";
import { changed } from "./support/changed.js";
import { readGolden } from "./support/golden.js";
import { assert, device, folder, randoms, refuses, suite } from "./support/harness.js";
import { inMemory } from "./support/safetensors.js";

const kernels = "the kernels' own tests run there, and Node runs whole models";
const test = suite("caches in f16", { deno: kernels, chrome: kernels });

/** Log-probabilities of tokens differ so much at most from those with a cache in f32. */
const BOUNDS: Readonly<Record<string, number>> = {
  "tests/fixtures/llama": 8e-3, // 4.0e-3
  "tests/fixtures/t5": 4e-3, // 1.8e-3
  "models/gpt2-brown": 1.5e-3, // 7.1e-4
  "models/g2p-en": 2e-3, // 9.3e-4
};

const halved = new Map<string, Promise<Model>>();
const half = async (path: string): Promise<Model> => {
  const model = halved.get(path) ?? load(folder(path), { gpu: await device(), cache: "f16" });
  halved.set(path, model);
  return model;
};

for (const [path, bound] of Object.entries(BOUNDS))
  test(`${path}: the tokens of reference cases, with nearly the same probabilities`, async () => {
    const { cases } = await readGolden(path);
    const [whole, model] = [await load(folder(path), { gpu: await device() }), await half(path)];
    const generated = cases.filter(({ kind }) => kind === "generate").slice(0, 4); // all agree; these are quick
    for (const { name, inputs, options, expected } of generated) {
      const scored = { ...options, output_scores: true };
      const got = await model.generate(inputs, scored);
      assert.equal(got.sequences, expected.sequences, name);
      const { token_scores } = await whole.generate(inputs, scored);
      token_scores!.flat().forEach((score, i) => {
        const other = got.token_scores!.flat()[i];
        assert.ok(Math.abs(other - score) <= bound, `${name}: ${other} must be ${score}, but for ${bound}`);
      });
    }
    whole.dispose();
  });

const ROWS = [
  [12, 60, 45, 77, 8],
  [3, 3],
  [9, 80, 41, 7, 7, 7, 30, 31, 32, 2],
];

test("a row is what it is alone, beside others and after some have gone", async () => {
  const model = await half("tests/fixtures/llama");
  const options = { max_new_tokens: 24, eos_token_id: null, output_scores: true, num_beams: 2 };
  const together = await model.generate({ input_ids: [...ROWS, ...ROWS, ...ROWS] }, options);
  for (const [b, row] of ROWS.entries()) {
    const alone = await model.generate({ input_ids: [row] }, options);
    for (const place of [b, b + 3, b + 6]) {
      assert.equal(together.sequences[place].slice(-24), alone.sequences[0].slice(-24));
      assert.equal(together.token_scores![place], alone.token_scores![0]);
    }
  }
});

test("a past, its copies and what it forgets give the same tokens", async () => {
  const model = await half("tests/fixtures/qwen3");
  const options = { num_beams: 3, max_new_tokens: 7 };
  const want = await model.generate({ input_ids: ROWS }, options);
  const past = await model.past({ input_ids: ROWS.map((row) => row.slice(0, 1)) }, { max_length: 64 });
  const twin = await past.fork({ max_length: 40 });
  await twin.append(ROWS.map((row) => row.slice(1)));
  await past.append([[1, 2, 3], [4], []]);
  past.truncate(1);
  const rest = { past_key_values: past, input_ids: ROWS.map((row) => row.slice(1)) };
  for (const given of [rest, { past_key_values: twin }])
    assert.equal((await model.generate(given, options)).sequences, want.sequences);
  twin.dispose();
  past.dispose();
});

test("they take half of the memory, and plans say so", async () => {
  const path = "models/gpt2-brown";
  const sizes = { rows: 4, input_length: 100, max_new_tokens: 100 };
  const [whole, halves] = [await memoryPlan(path, sizes), await memoryPlan(path, { ...sizes, cache: "f16" })];
  assert.is(halves.cache?.token, (whole.cache?.token as number) / 2);
  const saved = (whole.call.state - halves.call.state) / 4 / (halves.cache?.token as number);
  assert.ok(saved >= 200 && saved <= 208, `200 slots a row, or a few more, got ${saved}`);
  const { cache } = await memoryPlan("models/g2p-en", { cache: "f16" });
  assert.is(cache?.source_token, 2 * (cache?.token as number), "keys of sources are in f32");
});

test("what it cannot be is refused", async () => {
  const gpu = await device();
  await refuses(
    () => load(folder("models/bert-pos"), { gpu, cache: "f16" }),
    OptionError,
    /^load: cache must be absent, this bert writes no text/,
  );
  await refuses(
    () => load(folder("models/gpt2-brown"), { gpu, cache: "f8" as never }),
    OptionError,
    /^load: cache must be one of f32, f16, got "f8"/,
  );
  const narrow = await changed("llama", (_, config) => void (config.head_dim = 12));
  await refuses(
    () => memoryPlan(inMemory(narrow), { cache: "f16" }),
    OptionError,
    /^memoryPlan: cache must be "f32" where the width of a head is no multiple of 8, this llama has 12/,
  );
});

const split = suite("long pasts on GPUs", { deno: kernels, chrome: kernels });
let opening: Promise<Gpu> | undefined;
const asGpu = (): Promise<Gpu> => (opening ??= openGpu({ adapter: "gpu", guard: true }));

for (const cache of ["f32", "f16"] as const)
  split(`rows are what they are in short caches, with a cache in ${cache}`, async () => {
    const files = await changed("llama", (_, config) => void (config.max_position_embeddings = 1200));
    const random = randoms(5);
    const long = Array.from({ length: 590 }, () => 1 + Math.floor(45 * (random() + 1)));
    const options = { max_new_tokens: 4, eos_token_id: null, output_scores: true };
    const model = await load(inMemory(files), { gpu: await asGpu(), cache });
    const together = await model.generate({ input_ids: [long, ROWS[0], long.slice(0, 508)] }, options);
    assert.is(together.stats.launches.decoder_layer, 6, "one more launch a layer");
    const short = await model.generate({ input_ids: [ROWS[0]] }, options);
    assert.is(short.stats.launches.decoder_layer, 5);
    const bound = cache === "f16" ? 2e-3 : 1e-4; // matrix products differ too
    const near = (got: number[][], want: number[][]) =>
      want.flat().forEach((score, i) => assert.ok(Math.abs(got.flat()[i] - score) < bound));
    near(short.token_scores!, [together.token_scores![1]]);
    const other = await load(inMemory(files), { gpu: await device(), cache });
    const want = await other.generate({ input_ids: [long, ROWS[0], long.slice(0, 508)] }, options);
    assert.equal(together.sequences, want.sequences);
    near(together.token_scores!, want.token_scores!);
    model.dispose();
    other.dispose();
  });
