// An engine: who is admitted and when, what is refused, what is shared, and what a cancelled request leaves.
import {
  EngineFullError,
  type Gpu,
  InputError,
  load,
  type Model,
  OptionError,
  type RunOptions,
  type StreamEvent,
  WgformerError,
} from "../src/index.js";
import type { TypedArray } from "../src/runtime/tensor.js";
import { alone, type Engine, sameOutcome, sameResult, type Submitted, turn } from "./support/arrivals.js";
import { openModel } from "./support/checkpoint.js";
import { unhandled } from "./support/faults.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

const CHROME = { chrome: "its shaders compile for minutes; Node and Deno show it" };
const test = suite("engine", { ...CHROME, deno: "what the host decides is the same in all runtimes" });
const GPT2 = "tests/fixtures/gpt2";
const SIZE = { slots: 600, rows: 8, length: 96 };
const row = (length: number, seed = 0): number[] => Array.from({ length }, (_, t) => 1 + ((7 * t + 13 * seed) % 90));
/** Exactly so many new tokens. */
const exactly = (max_new_tokens: number) => ({ max_new_tokens, eos_token_id: null });

/** Opens an engine of the GPT-2 fixture, and closes it after `body`. */
async function withEngine(
  body: (engine: Engine, model: Model) => Promise<void>,
  options: Partial<Parameters<Model["engine"]>[0]> = {},
): Promise<void> {
  const model = await openModel(GPT2);
  const engine = await model.engine({ ...SIZE, ...options });
  try {
    await body(engine, model);
    engine.check();
  } finally {
    engine.dispose();
  }
}

/** Names of requests, in the order in which their first tokens came. */
function watchFirst(requests: Readonly<Record<string, Submitted>>): { order: string[]; all: Promise<unknown> } {
  const order: string[] = [];
  const all = Object.entries(requests).map(async ([name, { stream }]) => {
    let first = true;
    for await (const _ of stream) {
      if (first) order.push(name);
      first = false;
    }
  });
  return { order, all: Promise.all(all) };
}

// --- results ---

const everyKind = (): Promise<void> =>
  withEngine(async (engine, model) => {
    const requests = [
      { inputs: { input_ids: [row(5)] }, options: exactly(9) },
      { inputs: { input_ids: [row(3, 1), row(7, 2)] }, options: { num_beams: 3, num_return_sequences: 2, max_new_tokens: 8 } },
      { inputs: { input_ids: [row(4, 3)] }, options: { do_sample: true, seed: 5, num_return_sequences: 2, max_new_tokens: 6, output_scores: true } },
      { inputs: { input_ids: [row(9, 4)] }, options: { num_beams: 4, num_beam_groups: 2, diversity_penalty: 0.7, max_new_tokens: 5 } },
      { inputs: { input_ids: [row(2, 5)] }, options: { num_beams: 2, search: "opennmt", max_new_tokens: 7, no_repeat_ngram_size: 2 } },
      { inputs: { input_ids: [row(6, 6)] }, options: { ...exactly(5), top_logprobs: 3, bad_words_ids: [[4], [7, 9]] } },
    ] as const; // prettier-ignore
    const want = [];
    for (const request of requests) want.push(await alone(model, request));
    const submitted = requests.map((request) => engine.submit(request));
    for (const [i, { result }] of submitted.entries()) sameOutcome({ result: await result }, want[i], `request ${i}`);
  });

test("requests of every kind at once give what generate gives for each", everyKind, CHROME);

test("pasts, alternatives, attentions and sources as states are those of generate", async () => {
  const gpt2 = await openModel(GPT2);
  const past = await gpt2.past({ input_ids: [row(7)] });
  const alternatives = { return_alternatives: true, num_return_sequences: 3, num_beams: 1, max_new_tokens: 5 };
  const marian = await openModel("tests/fixtures/marian");
  const sources = { input_ids: [row(6), row(4, 1)] };
  const { last_hidden_state } = await marian.encode(sources);
  const encoder_outputs = { last_hidden_state, attention_mask: [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]] }; // prettier-ignore
  for (const [model, requests] of [
    [
      gpt2,
      [
        { inputs: { past_key_values: past }, options: { num_beams: 2, max_new_tokens: 6 } },
        { inputs: { past_key_values: past, input_ids: [[5, 6]] }, options: exactly(4) },
        { inputs: { input_ids: [row(5)] }, options: alternatives },
      ],
    ],
    [
      marian,
      [
        { inputs: { encoder_outputs }, options: { num_beams: 3, max_new_tokens: 6 } },
        { inputs: sources, options: { output_attentions: true, max_new_tokens: 6 } },
        { inputs: { ...sources, decoder_input_ids: [[96, 7], [96, 8]] }, options: { max_new_tokens: 6 } }, // prettier-ignore
      ],
    ],
  ] as const) {
    const engine = await model.engine({ slots: 400, rows: 16, length: 40 });
    const want = [];
    for (const request of requests) want.push(await alone(model, request));
    const submitted = requests.map((request) => engine.submit(request));
    for (const [i, { result }] of submitted.entries()) sameOutcome({ result: await result }, want[i], `request ${i}`);
    engine.check();
    engine.dispose();
  }
  past.dispose();
});

test("a stream has the events of model.stream, and a stop string ends its row alone", async () => {
  const model = await openModel("models/gpt2-brown");
  const engine = await model.engine({ slots: 300, rows: 4, length: 64, beams: 2 });
  const inputs = { input_ids: [[464, 12, 900]] };
  const plain = { max_new_tokens: 16 };
  const want: StreamEvent[] = [];
  for await (const event of model.stream(inputs, plain)) want.push(event);
  const text = want.map((event) => event.text).join("");
  const stop_strings = [text.slice(8, 11)];
  const stopped = engine.submit({ inputs, options: { ...plain, stop_strings } });
  const other = engine.submit({ inputs, options: plain });
  const events: StreamEvent[] = [];
  for await (const event of other.stream) events.push(event);
  const tokensOf = (all: readonly StreamEvent[]): number[] => all.flatMap(({ token_ids }) => token_ids);
  assert.equal(tokensOf(events), tokensOf(want));
  assert.is(events.map((event) => event.text).join(""), text);
  const ended = await stopped.result;
  assert.equal(ended.finish_reasons, ["stop"]);
  sameResult(ended, await model.generate(inputs, { ...plain, stop_strings }));
  engine.dispose();
});

test("a plain greedy request has the launches of generate", () =>
  withEngine(async (engine, model) => {
    const request = { inputs: { input_ids: [row(5)] }, options: exactly(3) };
    const want = await model.generate(request.inputs, request.options);
    const { stats } = await engine.submit(request).result;
    assert.equal(stats.launches, want.stats.launches);
  }));

/**
 * A device that gives the result of a step only when as many more steps were submitted as should be in flight, of `total`
 * steps in all: whoever waits for a step before that waits for ever.
 */
function holdingBack(gpu: Gpu, total: number): Gpu {
  let submitted = 0;
  let wake = (): void => {};
  let woken = new Promise<void>((resolve) => (wake = resolve));
  return {
    ...gpu,
    async prepare(plan, progress) {
      const prepared = await gpu.prepare(plan, progress);
      if (plan.name !== "step") return prepared;
      const run = async (options?: RunOptions): Promise<TypedArray[]> => {
        const running = prepared.run(options);
        const until = Math.min(total, submitted++ + gpu.readAhead);
        wake();
        woken = new Promise((resolve) => (wake = resolve));
        while (submitted < until) await woken;
        return running;
      };
      return { ...prepared, run };
    },
  };
}

const joinAndLeave = async (): Promise<void> => {
  const STEPS = 30;
  const gpu = holdingBack(await device(), STEPS);
  const model = await load(folder(GPT2), { gpu });
  const engine = await model.engine(SIZE);
  const long = engine.submit({ inputs: { input_ids: [row(5)] }, options: exactly(STEPS) });
  const others: Submitted[] = [];
  let events = 0;
  for await (const _ of long.stream)
    if (events++ % 4 === 0 && others.length < 5)
      others.push(engine.submit({ inputs: { input_ids: [row(4, others.length)] }, options: exactly(3) }));
  await Promise.all(others.map(({ result }) => result));
  assert.equal([engine.stats().steps, engine.stats().finished], [STEPS, 6]);
  engine.dispose();
  model.dispose();
};

test("no step waits for the host, nor while others join and leave", joinAndLeave, CHROME);

// --- admission ---

test("bad inputs and options are refused when they are submitted, by the names that generate gives", () =>
  withEngine(async (engine, model) => {
    const input_ids = [row(4)];
    await refuses(() => engine.submit({ inputs: { input_ids }, options: { max_tokens: 5 } as never }), OptionError, /max_tokens is not supported/); // prettier-ignore
    await refuses(() => engine.submit({ inputs: { input_ids }, options: { num_beams: 0 } }), OptionError, /num_beams/);
    await refuses(() => engine.submit({ inputs: { input_ids: [[999]] } }), InputError, /input_ids/);
    await refuses(() => engine.submit({ inputs: {} }), InputError, /input_ids/);
    const logits_processor = (): void => {};
    await refuses(
      () => engine.submit({ inputs: { input_ids }, options: { logits_processor } }),
      OptionError,
      /logits_processor.*use generate\(\)/,
    );
    await refuses(() => engine.submit(undefined as never), WgformerError, /engine|submit|request/);
    await refuses(() => engine.submit({ inputs: { input_ids }, prioriti: 1 } as never), WgformerError, /prioriti/);
    for (const priority of [NaN, "high", Infinity])
      await refuses(() => engine.submit({ inputs: { input_ids }, priority } as never), OptionError, /priority/);
    await refuses(() => engine.submit({ inputs: { input_ids }, signal: {} } as never), OptionError, /signal/);
    const { submitted: _, ...stats } = { submitted: 0, ...engine.stats() };
    assert.equal([stats.waiting, stats.running, stats.admitted], [0, 0, 0]);
    for (const wrong of [{ rows: 0 }, { slots: 0.5 }, { rows: "8" }, { beams: 99 }, { length: -1 }, { waiting: NaN }, { row: 8 }])
      await refuses(() => model.engine({ ...SIZE, ...wrong } as never), OptionError, new RegExp(Object.keys(wrong)[0])); // prettier-ignore
  }));

test("a request that can never fit is refused with the numbers, and one that just fits is not", () =>
  withEngine(
    async (engine, model) => {
      const submit = (length: number, options: object) =>
        engine.submit({ inputs: { input_ids: [row(length)] }, options });
      await refuses(() => submit(4, { num_beams: 5, ...exactly(2) }), WgformerError, /\b5\b.*\b4\b|\b4\b.*\b5\b/);
      await refuses(() => submit(30, { num_beams: 4, ...exactly(20) }), WgformerError, /slots.*\b100\b/);
      await refuses(() => submit(40, exactly(30)), WgformerError, /\b64\b/);
      const want = await model.generate({ input_ids: [row(20)] }, { num_beams: 4, ...exactly(20) });
      sameResult(await submit(20, { num_beams: 4, ...exactly(20) }).result, want);
    },
    { rows: 4, slots: 100, length: 64, prefixes: 0 },
  ));

test("a full queue refuses politely, and takes requests again when one has left it", () =>
  withEngine(
    async (engine) => {
      const submit = (): Submitted => engine.submit({ inputs: { input_ids: [row(4)] }, options: exactly(10) });
      const taken: Submitted[] = [];
      const fill = (): void => {
        for (let count = 0; count < 20; count++) taken.push(submit());
      };
      await refuses(fill, EngineFullError, /\b3\b/);
      assert.ok(taken.length >= 3 && taken.length <= 5, `${taken.length} were taken`);
      await Promise.all(taken.map(({ result }) => result));
      await submit().result;
    },
    { rows: 1, waiting: 3 },
  ));

test("a higher priority goes first, and equal ones by arrival", () =>
  withEngine(
    async (engine) => {
      const submit = (priority?: number): Submitted =>
        engine.submit({ inputs: { input_ids: [row(4)] }, options: exactly(6), priority });
      const { order, all } = watchFirst({
        runs: submit(),
        late: submit(),
        later: submit(),
        low: submit(-1),
        high: submit(2),
      });
      await all;
      assert.equal(order.slice(-2), ["later", "low"]);
      assert.ok(order.indexOf("high") < order.indexOf("late"), order.join());
    },
    { rows: 1 },
  ));

test("a large request is not starved by small ones that keep coming", () =>
  withEngine(
    async (engine) => {
      const small = (seed: number): Submitted =>
        engine.submit({ inputs: { input_ids: [row(4, seed)] }, options: exactly(12) });
      const before = { a: small(1), b: small(2), c: small(3), d: small(4) };
      const large = engine.submit({ inputs: { input_ids: [row(4)] }, options: { num_beams: 4, ...exactly(5) } });
      const after = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`after${i}`, small(5 + i)]));
      const { order, all } = watchFirst({ ...before, large, ...after });
      await all;
      assert.is(order.indexOf("large"), 4, order.join());
    },
    { rows: 4 },
  ));

test("a long prompt is read in parts beside the steps of others", () =>
  withEngine(
    async (engine, model) => {
      const submit = (length: number, count: number): Submitted =>
        engine.submit({ inputs: { input_ids: [row(length)] }, options: exactly(count) });
      const runs = submit(4, 60);
      while (engine.stats().steps < 3) await turn();
      const late = submit(80, 3);
      const steps = engine.stats().steps;
      await late.stream[Symbol.asyncIterator]().next();
      const between = engine.stats().steps - steps;
      assert.ok(between >= 10, `${between} steps while 79 tokens were read, 8 beside each`);
      sameResult(await late.result, await model.generate({ input_ids: [row(80)] }, exactly(3)));
      sameResult(await runs.result, await model.generate({ input_ids: [row(4)] }, exactly(60)));
    },
    { chunk: 8, prefixes: 0 },
  ));

// --- sharing ---

test("a prompt that begins as an earlier one reads the rest alone, with the same bits", () =>
  withEngine(
    async (engine, model) => {
      const [first, second] = [
        [...row(40), 3, 4],
        [...row(40), 8, 9, 10],
      ];
      const options = { num_beams: 3, max_new_tokens: 8 };
      await engine.submit({ inputs: { input_ids: [first] }, options }).result;
      const { reused_tokens, prompt_tokens } = engine.stats();
      assert.is(reused_tokens, 0);
      const got = await engine.submit({ inputs: { input_ids: [second] }, options }).result;
      const { reused_tokens: reused, prompt_tokens: read } = engine.stats();
      assert.ok(reused >= 32, `${reused} tokens were read before`);
      assert.ok(read - prompt_tokens < 12, `${read - prompt_tokens} tokens were read`);
      sameResult(got, await model.generate({ input_ids: [second] }, options));
      const { rows, slots } = engine.stats();
      assert.equal([rows.used, slots.used > 0, slots.used], [0, true, slots.shared]);
      engine.forget();
      assert.equal([engine.stats().slots.used, engine.stats().slots.shared], [0, 0]);
    },
    { prefixes: 200 },
  ));

test("without room for prefixes nothing is kept", () =>
  withEngine(
    async (engine) => {
      for (let time = 0; time < 2; time++)
        await engine.submit({ inputs: { input_ids: [row(40)] }, options: exactly(4) }).result;
      const { reused_tokens, slots } = engine.stats();
      assert.equal([reused_tokens, slots.used], [0, 0]);
    },
    { prefixes: 0 },
  ));

test("prefixes give way to requests, the oldest first", () =>
  withEngine(
    async (engine, model) => {
      for (let seed = 0; seed < 9; seed++) {
        const request = { inputs: { input_ids: [row(60, seed)] }, options: exactly(20) };
        sameOutcome({ result: await engine.submit(request).result }, await alone(model, request));
        engine.check();
        assert.ok(engine.stats().slots.used <= 150);
      }
    },
    { slots: 200, rows: 2, prefixes: 150 },
  ));

// --- leaving ---

test("a cancelled request frees its rows and slots within one read-back, and the next takes them", () =>
  withEngine(
    async (engine, model) => {
      const options = { num_beams: 4, ...exactly(80) };
      const reason = new Error("enough");
      const long = engine.submit({ inputs: { input_ids: [row(4)] }, options });
      const next = engine.submit({ inputs: { input_ids: [row(5, 1)] }, options: exactly(4) });
      while (engine.stats().steps < 10) await turn();
      long.cancel(reason);
      const { steps } = engine.stats();
      await refuses(() => long.result, Error, /^enough$/);
      const got = await next.result;
      const taken = engine.stats().steps - steps;
      assert.ok(taken <= 4 + 2 * (model.gpu.readAhead + 1), `${taken} steps until the next was done`);
      sameResult(got, await model.generate({ input_ids: [row(5, 1)] }, exactly(4)));
      await engine.idle();
      const { rows, slots, cancelled, finished } = engine.stats();
      assert.equal([rows.used, slots.used, cancelled, finished], [0, 0, 1, 1]);
    },
    { rows: 4, prefixes: 0 },
  ));

test("a request is cancelled by its signal, before it runs too, and twice is once", () =>
  withEngine(
    async (engine) => {
      const reason = new Error("no more");
      const ended = new AbortController();
      const submit = (signal?: AbortSignal): Submitted =>
        engine.submit({ inputs: { input_ids: [row(4)] }, options: exactly(30), signal });
      const [runs, waits] = [submit(), submit(ended.signal)];
      ended.abort(reason);
      await refuses(() => waits.result, Error, /^no more$/);
      runs.cancel();
      runs.cancel(new Error("again"));
      const error = await runs.result.catch((error: unknown) => error);
      assert.is((error as Error).name, "AbortError");
      await refuses(() => submit(AbortSignal.abort(reason)).result, Error, /^no more$/);
      await engine.idle();
      assert.is(engine.stats().cancelled, 3);
      const done = engine.submit({ inputs: { input_ids: [row(4)] }, options: exactly(2) });
      await done.result;
      done.cancel();
      assert.is(engine.stats().cancelled, 3);
    },
    { rows: 1 },
  ));

test("dispose rejects what runs and what waits, frees all, and ends the engine", async () => {
  const gpu = await device();
  const held = (): number => gpu.use().total - gpu.use().staging;
  const model = await openModel(GPT2);
  await model.generate({ input_ids: [row(4)] }, exactly(4));
  const before = held();
  const engine = await model.engine({ ...SIZE, rows: 2 });
  const requests = [1, 2, 3, 4].map((seed) =>
    engine.submit({ inputs: { input_ids: [row(4, seed)] }, options: exactly(40) }),
  );
  while (engine.stats().steps < 3) await turn();
  engine.dispose();
  for (const { result, stream } of requests) {
    await refuses(() => result, InputError, /dispose/);
    await refuses(async () => { for await (const _ of stream); }, InputError, /dispose/); // prettier-ignore
  }
  await refuses(() => engine.submit({ inputs: { input_ids: [row(4)] } }), InputError, /dispose/);
  engine.dispose();
  await turn();
  assert.is(held(), before);
});

test("an engine that lives on keeps generate right beside it, and ends with its model", async () => {
  const model = await load(folder(GPT2), { gpu: await device() });
  const inputs = { input_ids: [row(6)] };
  const want = await model.generate(inputs, exactly(20));
  const engine = await model.engine(SIZE);
  const [request, beside] = [engine.submit({ inputs, options: exactly(20) }), model.generate(inputs, exactly(20))];
  sameResult(await request.result, want);
  sameResult(await beside, want);
  const last = engine.submit({ inputs, options: exactly(20) });
  model.dispose();
  await last.result.catch(() => {});
  engine.dispose();
  await refuses(() => model.engine(SIZE), InputError, /after dispose/);
});

test("what nobody awaits is no unhandled rejection", async () => {
  const strays = await unhandled(() =>
    withEngine(async (engine) => {
      const submit = (): Submitted => engine.submit({ inputs: { input_ids: [row(4)] }, options: exactly(20) });
      const [first, second, third] = [submit(), submit(), submit()];
      first.cancel(new Error("nobody hears it"));
      for await (const _ of second.stream) second.cancel(new Error("its stream hears it"));
      third.cancel();
      await engine.idle();
    }).catch((error: unknown) => assert.is((error as Error).message, "its stream hears it")),
  );
  assert.equal(strays, []);
});
