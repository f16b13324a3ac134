// Calls that end at every step, by a signal, by leaving the loop, or by a function of the caller's that throws.
import { load, type Model } from "../src/index.js";
import { assert, device, folder, share, suite } from "./support/harness.js";

const test = suite("aborts", { chrome: "waits for its compiler; Node and Deno show it" });
const GPT2 = "tests/fixtures/gpt2";
const BERT = "tests/fixtures/bert";
const STEPS = 12;
const all = { max_new_tokens: STEPS, eos_token_id: null };
const prompts = {
  input_ids: [
    [5, 9, 33],
    [2, 7],
  ],
};
const reason = new Error("enough");

/** Runs `body`; returns what it throws. */
async function thrown(body: () => Promise<unknown>): Promise<unknown> {
  try {
    await body();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Ways to end a call at its k-th step. Each returns what the caller sees: the reason, or nothing where it leaves. */
const WAYS: Readonly<Record<string, (model: Model, k: number) => Promise<unknown>>> = {
  "a signal at a step of a search": (model, k) => {
    const ended = new AbortController();
    let step = 0;
    const logits_processor = (): void => {
      if (step++ === k) ended.abort(reason);
    };
    return thrown(() => model.generate(prompts, { num_beams: 2, ...all, logits_processor, signal: ended.signal }));
  },
  "a signal at an event of a stream": (model, k) => {
    const ended = new AbortController();
    return thrown(async () => {
      let event = 0;
      for await (const _ of model.stream(prompts, { ...all, signal: ended.signal }))
        if (event++ === k) ended.abort(reason);
    });
  },
  "a rule that throws": (model, k) => {
    let step = 0;
    const logits_processor = (): void => {
      if (step++ === k) throw reason;
    };
    return thrown(() => model.generate(prompts, { ...all, logits_processor }));
  },
  "a loop over a stream that throws": (model, k) =>
    thrown(async () => {
      let event = 0;
      for await (const _ of model.stream(prompts, all)) if (event++ === k) throw reason;
    }),
};

for (const [name, end] of Object.entries(WAYS))
  test(`${name}: the caller's reason, whatever the step, and the next call is right`, async () => {
    const gpu = await device();
    const before = gpu.use();
    const model = await load(folder(GPT2), { gpu });
    const options = { num_beams: 2, ...all };
    const want = await model.generate(prompts, options);
    for (let k = 0; k < STEPS; k += share) {
      assert.is(await end(model, k), reason, `step ${k}`);
      assert.equal((await model.generate(prompts, options)).sequences, want.sequences, `after step ${k}`);
    }
    model.dispose();
    const after = gpu.use();
    assert.is(after.total - after.staging, before.total - before.staging);
  });

test("a loop over a stream that is left at any event leaves nothing running", async () => {
  const model = await load(folder(GPT2), { gpu: await device() });
  const want = await model.generate(prompts, all);
  for (let k = 0; k < STEPS; k += Math.min(share, 4)) {
    let event = 0;
    for await (const _ of model.stream(prompts, all)) if (event++ === k) break;
    assert.equal((await model.generate(prompts, all)).sequences, want.sequences);
  }
  model.dispose();
});

test("a signal after any batch of an encoder, and a progress that throws", async () => {
  const gpu = await device();
  const model = await load(folder(BERT), { gpu });
  const inputs = { input_ids: Array.from({ length: 6 }, (_, b) => Array.from({ length: b + 1 }, (_, t) => 1 + t)) };
  const want = await model.encode(inputs);
  for (let k = 0; k < 6; k++) {
    const ended = new AbortController();
    let batch = 0;
    const progress = (): void => {
      if (batch++ === k) ended.abort(reason);
    };
    assert.is(await thrown(() => model.encode(inputs, { batch_tokens: 1, progress, signal: ended.signal })), reason);
    batch = 0;
    const throwing = (): void => {
      if (batch++ === k) throw reason;
    };
    assert.is(await thrown(() => model.encode(inputs, { batch_tokens: 1, progress: throwing })), reason);
    assert.equal((await model.encode(inputs)).last_hidden_state.data, want.last_hidden_state.data);
  }
  model.dispose();
});

test("2 to 16 calls at once give what they give one after the other", async () => {
  const model = await load(folder(GPT2), { gpu: await device() });
  const calls = Array.from({ length: 16 }, (_, i) => ({
    inputs: {
      input_ids: Array.from({ length: 1 + (i % 3) }, (_, b) => [5 + i, 9 + b, 33].slice(0, 1 + ((i + b) % 3))),
    },
    options: { num_beams: 1 + (i % 4), max_new_tokens: 3 + (i % 5) },
  }));
  const want = [];
  for (const { inputs, options } of calls) want.push((await model.generate(inputs, options)).sequences);
  for (const count of [2, 5, 16]) {
    const got = await Promise.all(calls.slice(0, count).map(({ inputs, options }) => model.generate(inputs, options)));
    assert.equal(
      got.map(({ sequences }) => sequences),
      want.slice(0, count),
    );
  }
  model.dispose();
});
