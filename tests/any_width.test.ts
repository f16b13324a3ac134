import { type Gpu, gpu, load } from "../src/index.js";
import { assert, device, readJson, share, suite } from "./support/harness.js";
import { inMemory, safetensors, storedF32 } from "./support/safetensors.js";

// Models whose sizes are no multiples of four, against Transformers; made by tests/oracle/any_width.py.
interface Stored {
  readonly config: object;
  readonly generation?: object;
  /** Shapes by name. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly results?: readonly { readonly call: object; readonly sequences: number[][]; readonly scores?: number[] }[];
  /** The last states of the first prompt. */
  readonly states?: readonly number[];
}

const { prompts, masks, models } = await readJson<{
  readonly prompts: number[][];
  readonly masks: number[][];
  readonly models: Readonly<Record<string, Stored>>;
}>("tests/any_width.json");

/** Element i of tensor t, from -0.5 to 0.5, by the hash of Murmur3's last step. */
function weight(t: number, i: number): number {
  let h = i + t * 1000003;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32 - 0.5;
}

function source({ config, generation = {}, tensors }: Stored) {
  const stored = Object.entries(tensors).map(([name, shape], t) => {
    const base = /(norm|\.ln_.|ln_f)\.weight$/i.test(name) ? 1 : 0;
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length }, (_, i) => weight(t, i) + base);
    return [name, storedF32(shape, values)] as const;
  });
  return inMemory({
    "config.json": config,
    "generation_config.json": generation,
    "model.safetensors": safetensors(Object.fromEntries(stored)),
  });
}

const test = suite("models of any width");

const opened: Readonly<Record<string, () => Promise<Gpu>>> = {
  "as this adapter": device,
  "as a GPU": () => gpu({ adapter: "gpu", features: [], tuned: false }),
};
for (const [form, open] of Object.entries(opened)) {
  for (const [name, stored] of Object.entries(models).filter((_, i) => i % share === 0)) {
    test(`${name}, ${form}`, async () => {
      const on = await open();
      const model = await load(source(stored), { gpu: on });
      const { results = [], states = [] } = stored;
      for (const { call, sequences, scores } of results) {
        const got = await model.generate({ input_ids: prompts, attention_mask: masks }, call);
        assert.equal(got.sequences, sequences, JSON.stringify(call));
        scores?.forEach((score, i) => assert.ok(Math.abs(score - got.sequences_scores![i]) < 2e-5, `score ${i}`));
      }
      if (states.length) {
        const { last_hidden_state } = await model.encode({ input_ids: prompts.slice(0, 1) });
        const got = last_hidden_state.data;
        states.forEach((value, i) =>
          assert.ok(Math.abs(value - got[i]) < 5e-5, `state ${i} must be ${value}, got ${got[i]}`),
        );
      }
      model.dispose();
      if (open !== device) on.dispose();
    });
  }
}
