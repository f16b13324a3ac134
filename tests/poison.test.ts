// Memory that is born full of NaN, with guard words after it: whoever reads what was never written, or writes past an end, is seen.
import { gpu as openGpu, load, type Model } from "../src/index.js";
import { openDevice } from "../src/runtime/device.js";
import { assert, device, folder, suite } from "./support/harness.js";

const test = suite("poison", {
  deno: "compiles for a minute; Node shows it",
  chrome: "compiles for minutes; Node shows it",
});
const COPY_TARGET = 0x8; // GPUBufferUsage.COPY_DST
const MAP = 0x1 | 0x2; // GPUBufferUsage.MAP_READ, MAP_WRITE
const NAN = 0x7fc00000;
const GUARDS = 64; // words after each buffer
const GUARD = 0xa5a5a5a5;

/** A device whose buffers are born full of NaN. `broken` reads the guard words of those that live. */
async function poisoned() {
  const { device: own } = await openDevice({});
  const live = new Map<GPUBuffer, number>();
  const create = own.createBuffer.bind(own);
  own.createBuffer = (descriptor) => {
    if (descriptor.usage & MAP) return create(descriptor);
    const usage = descriptor.usage | COPY_TARGET | 0x4;
    const made = create({ ...descriptor, usage, size: descriptor.size + 4 * GUARDS });
    const words = new Uint32Array(descriptor.size / 4 + GUARDS).fill(NAN, 0, descriptor.size / 4);
    own.queue.writeBuffer(made, 0, words.fill(GUARD, descriptor.size / 4));
    live.set(made, descriptor.size);
    const destroy = made.destroy.bind(made);
    made.destroy = () => {
      live.delete(made);
      return destroy();
    };
    return made;
  };
  const broken = async (): Promise<string[]> => {
    const read = create({ size: 4 * GUARDS * live.size, usage: 0x1 | COPY_TARGET });
    const encoder = own.createCommandEncoder();
    [...live].forEach(([made, size], i) => encoder.copyBufferToBuffer(made, size, read, 4 * GUARDS * i, 4 * GUARDS));
    own.queue.submit([encoder.finish()]);
    await read.mapAsync(1);
    const words = new Uint32Array(read.getMappedRange());
    return [...live.keys()]
      .filter((_, i) => words.subarray(GUARDS * i, GUARDS * (i + 1)).some((word) => word !== GUARD))
      .map(({ label }) => label);
  };
  return { device: own, broken };
}

const prompts = {
  input_ids: [
    [5, 9, 33, 2, 7],
    [11, 3],
  ],
};
const sampled = { do_sample: true, seed: 3, top_k: 9, top_p: 0.9, num_return_sequences: 2, max_new_tokens: 6 };
const ruled = { num_beams: 3, max_new_tokens: 6, repetition_penalty: 1.3, no_repeat_ngram_size: 2 };

/** What is compared of a family, to the bit, by name. */
type Results = Readonly<Record<string, unknown>>;

/** All but the times. */
const text = (result: unknown): string =>
  JSON.stringify(result, (name, value) => (name === "stats" ? undefined : value));

/** The names of results that differ. */
const differences = (got: Results, want: Results): string[] =>
  Object.keys(want).filter((name) => text(got[name]) !== text(want[name]));

const decoder = async (model: Model): Promise<Results> => {
  const past = await model.past({ input_ids: [[5, 9, 33]] });
  await past.append([[7, 8]]);
  const continued = await model.generate({ past_key_values: past }, { max_new_tokens: 4 });
  past.dispose();
  return {
    continued,
    ruled: await model.generate(prompts, ruled),
    sampled: await model.generate(prompts, sampled),
    logits: (await model.forward(prompts)).logits,
    score: await model.score(prompts, [[1, 2], [3]]),
  };
};
const FAMILIES: Readonly<Record<string, (model: Model) => Promise<Results>>> = {
  bert: async (model) => ({
    ...(await model.encode(prompts, { output_hidden_states: true, output_attentions: true })),
  }),
  distilbert: async (model) => ({ ...(await model.encode(prompts)) }),
  gpt2: decoder,
  llama: decoder,
  qwen3: decoder,
  marian: async (model) => ({
    ruled: await model.generate(prompts, ruled),
    groups: await model.generate(prompts, {
      num_beams: 4,
      num_beam_groups: 2,
      diversity_penalty: 1,
      max_new_tokens: 5,
    }),
    score: await model.score(prompts, [[1, 2], [3]]),
  }),
};

for (const adapter of ["cpu", "gpu"] as const)
  for (const [family, run] of Object.entries(FAMILIES))
    test(`${family}, variants for a ${adapter}: memory that was never written has no part in a result`, async () => {
      const shared = await device();
      const plain = await openGpu({ device: shared.device, adapter });
      const model = await load(folder(`tests/fixtures/${family}`), { gpu: plain });
      const want = await run(model);
      model.dispose();
      plain.dispose();
      const { device: own, broken } = await poisoned();
      const gpu = await openGpu({ device: own, adapter });
      const other = await load(folder(`tests/fixtures/${family}`), { gpu });
      assert.equal(differences(await run(other), want), []);
      assert.equal(differences(await run(other), want), []); // in the memory of the first run
      assert.equal(await broken(), []);
      other.dispose();
      gpu.dispose();
      own.destroy();
    });
