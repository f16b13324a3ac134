// Calls that overlap, end early, or come after dispose(): each gives what it gives alone, or an error that says why not.
import { type Decoder, InputError, load, type Model, OptionError, type PastKeyValues } from "../src/index.js";
import { campaign, type Dice } from "./support/campaign.js";
import { openModel } from "./support/checkpoint.js";
import { worstError } from "./support/golden.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

const test = suite("lifetimes");
const [GPT2, LLAMA, MARIAN] = ["gpt2", "llama", "marian"].map((name) => `tests/fixtures/${name}`);
const ROW = [5, 9, 33, 2, 7, 20, 21, 22];

/** A past of llama over `ROW`, disposed after `body`. */
async function withPast(body: (model: Model, past: PastKeyValues) => Promise<unknown>): Promise<void> {
  const model = await openModel(LLAMA);
  const past = await model.past({ input_ids: [ROW] });
  try {
    await body(model, past);
  } finally {
    past.dispose();
  }
}

test("a past that is changed while generate runs is continued as it was at the call", () =>
  withPast(async (m, past) => {
    const options = { num_beams: 2, no_repeat_ngram_size: 9, max_new_tokens: 8 };
    const want = await m.generate({ input_ids: [ROW] }, options);
    const late = m.generate({ past_key_values: past }, options);
    past.truncate(2);
    await past.append([[40, 41, 42, 43, 44, 45]]);
    assert.equal((await late).sequences, want.sequences);
    const changed = [[5, 9, 40, 41, 42, 43, 44, 45]];
    assert.equal(past.ids, changed);
    assert.equal(
      (await m.generate({ past_key_values: past }, options)).sequences,
      (await m.generate({ input_ids: changed }, options)).sequences,
    );
  }));

test("a past that is changed while generate starts in a shape of its own is continued as it was", () =>
  withPast(async (m, past) => {
    const options = { max_new_tokens: 37 };
    const late = m.generate({ past_key_values: past }, options);
    past.truncate(1);
    await past.append([[50, 51, 52]]);
    assert.equal((await late).sequences, (await m.generate({ input_ids: [ROW] }, options)).sequences);
  }));

test("two appends at once both arrive, in order, and a generate between them sees the first", () =>
  withPast(async (m, past) => {
    const options = { max_new_tokens: 5 };
    const first = past.append([[6, 7]]);
    const between = m.generate({ past_key_values: past }, options);
    await Promise.all([first, past.append([[8]])]);
    assert.equal(past.ids, [[...ROW, 6, 7, 8]]);
    for (const [got, row] of [
      [await between, [...ROW, 6, 7]],
      [await m.generate({ past_key_values: past }, options), [...ROW, 6, 7, 8]],
    ] as const)
      assert.equal(got.sequences, (await m.generate({ input_ids: [row] }, options)).sequences);
  }));

test("a fork has the tokens of its call, and goes on after the other is disposed", () =>
  withPast(async (m, past) => {
    const forking = past.fork();
    past.truncate(3);
    const [late, again] = [past.append([[60, 61]]), past.fork()];
    past.dispose();
    await late;
    const options = { max_new_tokens: 4 };
    for (const [twin, ids] of [
      [await forking, ROW],
      [await again, [5, 9, 33, 60, 61]],
    ] as const) {
      assert.equal(twin.ids, [ids]);
      const want = await m.generate({ input_ids: [ids] }, options);
      assert.equal((await m.generate({ past_key_values: twin }, options)).sequences, want.sequences);
      twin.dispose();
    }
  }));

test("a generate whose past is disposed while it runs gives the right tokens", () =>
  withPast(async (m, past) => {
    const late = m.generate({ past_key_values: past }, { max_new_tokens: 6 });
    past.dispose();
    assert.equal((await late).sequences, (await m.generate({ input_ids: [ROW] }, { max_new_tokens: 6 })).sequences);
  }));

test("calls that ended early leave all places to those of the same sizes", () =>
  withPast(async (m, past) => {
    const options = { num_beams: 2, max_new_tokens: 9 };
    const want = (await m.generate({ input_ids: [ROW] }, options)).sequences;
    for (const inputs of [{ input_ids: [ROW] }, { past_key_values: past }]) {
      for (const last of [1, 4, 8]) {
        const [abort, reason] = [new AbortController(), new Error("enough")];
        const onStep = ({ step }: { step: number }) => void (step === last && abort.abort(reason));
        const running = m.generate(inputs, { ...options, onStep, signal: abort.signal });
        assert.is(await running.catch((error: unknown) => error), reason);
        const [late, none] = [m.generate(inputs, options), new AbortController()];
        const gone = m.generate(inputs, { ...options, signal: none.signal }).catch((error: unknown) => error);
        none.abort(reason); // while its prompt is on the way
        assert.is(await gone, reason);
        assert.equal((await late).sequences, want);
      }
    }
  }));

const DISPOSED = /^past: must not be used after dispose\(\); open another$/;
const AFTER: Readonly<Record<string, (m: Model, past: PastKeyValues) => unknown>> = {
  generate: (m, past) => m.generate({ past_key_values: past }, { max_new_tokens: 2 }),
  append: (_, past) => past.append([[1]]),
  fork: (_, past) => past.fork(),
  truncate: (_, past) => past.truncate(1),
};
for (const [name, call] of Object.entries(AFTER))
  test(`refuses ${name} of a past that is disposed, and leaks nothing`, () =>
    withPast(async (m, past) => {
      past.dispose();
      const before = m.memory();
      await refuses(() => call(m, past), InputError, DISPOSED);
      assert.equal(m.memory(), before);
    }));

const OTHERS = /^past_key_values: must be of this model, got another's; read it again$/;
test("refuses a past of another model, of the same one loaded again, and what is none", () =>
  withPast(async (m, past) => {
    const [gpt2, marian] = [await openModel(GPT2), await openModel(MARIAN)];
    const again = await load(folder(LLAMA), { gpu: await device(), dtype: "int8" });
    for (const other of [gpt2, marian, again])
      await refuses(() => other.generate({ past_key_values: past }), InputError, OTHERS);
    again.dispose();
    for (const none of [true, 1, "past", {}, [], null])
      await refuses(
        () => m.generate({ past_key_values: none as never }),
        InputError,
        /^generate: past_key_values must come from past\(\), got /,
      );
  }));

test("refuses to append what is no token, and leaves the past as it was", () =>
  withPast(async (_, past) => {
    const bad: readonly (readonly [unknown, RegExp])[] = [
      [[[undefined, 7]], /ids must be whole numbers from 0 to 96, got nothing in row 0/],
      [[[, 7]], /got nothing in row 0/], // oxlint-disable-line no-sparse-arrays
      [[[1.5]], /got 1.5 in row 0/],
      [[["1"]], /got "1" in row 0/],
      [[undefined], /^past: append: must be a list of lists/],
      [null, /^past: append: must be a list of lists of token ids, got null/],
      ["12", /got "12"/],
      [[[1], [2]], /a list for each of its 1 rows, got 2/],
    ];
    for (const [ids, message] of bad) await refuses(() => past.append(ids as never), InputError, message);
    assert.equal(past.ids, [ROW]);
    await past.append([BigInt64Array.of(3n)] as never);
    await past.append([Uint8Array.of(4)]);
    assert.equal(past.ids, [[...ROW, 3, 4]]);
    for (const length of [-1, 1.5, NaN, null, "1"])
      await refuses(
        () => past.truncate(length as never),
        OptionError,
        /^past: truncate takes a whole number of tokens/,
      );
    await refuses(() => past.fork().then((twin) => twin.append(7 as never)), InputError, /got 7$/);
  }));

test("refuses a step of a decoder that is disposed, and ids and parents that are none", async () => {
  const m = await openModel(MARIAN);
  const before = m.memory().state;
  const decoder = await m.decoder({ input_ids: [[5, 9, 0]] }, { max_length: 3, num_beams: 2 });
  for (const ids of [[undefined, 1], [null, 1], [1.5, 1], ["1", 1], [97, 1], Array(2)])
    await refuses(
      () => decoder.step(ids as never),
      InputError,
      /^decoder: ids: ids must be whole numbers from 0 to 96/,
    );
  for (const ids of [undefined, null, 7, "12", {}])
    await refuses(() => decoder.step(ids as never), InputError, /^decoder: ids: must be a list of whole numbers/);
  await refuses(() => decoder.step([1]), InputError, /^decoder: ids must have 2 entries, got 1$/);
  await refuses(() => decoder.step([1, 1], [0, 2]), InputError, /^decoder: parents: .* from 0 to 1, got 2$/);
  assert.is(decoder.length, 0);
  const late = decoder.step(Int32Array.of(96, 96));
  decoder.dispose();
  decoder.dispose();
  assert.equal((await late).dims, [2, 97]);
  await refuses(() => decoder.step([1, 1]), InputError, /^decoder: must not be used after dispose\(\); open another$/);
  assert.is(m.memory().state, before);
});

test("steps that are not awaited are fed in order", async () => {
  const m = await openModel(MARIAN);
  const [input_ids, fed] = [[[5, 9, 33, 0]], [96, 7, 40, 12, 8]];
  const decoder = await m.decoder({ input_ids }, { max_length: fed.length });
  const steps = await Promise.all(fed.map((id) => decoder.step([id])));
  await refuses(() => decoder.step([1]), InputError, /^decoder: at most max_length=5 tokens can be fed/);
  await checkSteps(m, input_ids, [fed], steps);
  decoder.dispose();
});

/** Asserts that steps gave the logits of one pass over their tokens. */
async function checkSteps(m: Model, input_ids: number[][], fed: number[][], steps: { data: Float32Array }[]) {
  const { V } = m.architecture;
  const { logits } = await m.forward({ input_ids, decoder_input_ids: fed });
  const data = new Float32Array(fed.length * steps.length * V);
  steps.forEach((step, t) =>
    fed.forEach((_, b) => data.set(step.data.subarray(b * V, (b + 1) * V), (b * steps.length + t) * V)),
  );
  const error = worstError({ dims: [fed.length, steps.length, V], data }, logits!);
  assert.ok(error < 1e-4, `steps are ${error} off`);
}

// --- random interleavings against a serial oracle ---

/** A past, and the tokens that it must have. */
interface Held {
  readonly past: PastKeyValues;
  rows: number[][];
  disposed: boolean;
}

const MAX = 24;
const ids = ({ whole }: Dice, least: number): number[] => Array.from({ length: whole(least, 5) }, () => whole(4, 90)); // no end or padding token of the fixtures

/** A round of overlapping calls on a model, and how to check each of them in the end. */
function createRound(m: Model, draw: Dice) {
  const pasts: Held[] = [];
  const checks: (() => Promise<unknown>)[] = [];
  /** A call that must give what the prompt alone gives, or the abort's reason. */
  const generate = (held?: Held): void => {
    const options = { num_beams: draw.whole(1, 3), max_new_tokens: draw.whole(1, 6) };
    const start = held?.rows ?? Array.from({ length: draw.whole(1, 3) }, () => ids(draw, 1));
    const more = held && draw.chance(0.4) ? start.map(() => ids(draw, 1)) : undefined;
    const rows = start.map((row, b) => [...row, ...(more?.[b] ?? [])]);
    const inputs = held ? { past_key_values: held.past, input_ids: more } : { input_ids: start };
    const [gone, empty] = [held?.disposed, rows.some((row) => row.length === 0)];
    const [abort, reason] = [new AbortController(), new Error("enough")];
    const given = { ...options, signal: abort.signal };
    const running = draw.chance(0.3) ? streamed(m, inputs, given, draw.chance(0.3)) : m.generate(inputs, given);
    running.catch(() => {});
    if (draw.chance(0.2)) setTimeout(() => abort.abort(reason), draw.whole(0, 20));
    checks.push(async () => {
      if (gone || empty) return refuses(() => running, InputError, gone ? DISPOSED : /must hold at least one token/);
      const got = await running.catch((error: unknown) => {
        if (error !== reason) throw error;
      });
      if (got) assert.equal(got.sequences, (await m.generate({ input_ids: rows }, options)).sequences);
    });
  };
  const append = (held: Held): void => {
    const more = held.rows.map(() => ids(draw, 0));
    const grown = held.rows.map((row, b) => [...row, ...more[b]]);
    const [gone, long] = [held.disposed, grown.some((row) => row.length > MAX)];
    const running = held.past.append(more);
    running.catch(() => {});
    if (!gone && !long) held.rows = grown;
    checks.push(() =>
      gone || long ? refuses(() => running, InputError, gone ? DISPOSED : /at most max_length=24 tokens/) : running,
    );
  };
  const truncate = async (held: Held): Promise<void> => {
    const length = draw.whole(0, 8);
    if (held.disposed) return refuses(() => held.past.truncate(length), InputError, DISPOSED);
    held.past.truncate(length);
    held.rows = held.rows.map((row) => row.slice(0, length));
  };
  const dispose = (held: Held): void => {
    held.past.dispose();
    held.disposed = true;
  };
  const fork = async (held: Held): Promise<void> => {
    const { past, rows, disposed } = held;
    const running = past.fork();
    if (disposed) return refuses(() => running, InputError, DISPOSED);
    if (draw.chance(0.3)) dispose(held);
    pasts.push({ past: await running, rows, disposed: false });
  };
  const open = async (): Promise<void> => {
    const rows = Array.from({ length: draw.whole(1, 3) }, () => ids(draw, 1));
    pasts.push({ past: await m.past({ input_ids: rows }, { max_length: MAX }), rows, disposed: false });
  };
  const step = (): void | Promise<void> => {
    if (!pasts.length || draw.chance(0.15)) return open();
    const call = draw.pick([generate, generate, append, append, truncate, fork, dispose, () => generate()]);
    return call(draw.pick(pasts));
  };
  return { pasts, checks, step, dispose };
}

/** The result of a stream; undefined when its loop is left early. */
async function streamed(m: Model, inputs: object, options: object, leave: boolean) {
  const events = m.stream(inputs, options);
  for (;;) {
    const { done, value } = await events.next();
    if (done) return value;
    if (leave) return void (await events.return(undefined as never));
  }
}

test("random calls that overlap give what they give alone", async () => {
  const gpu = await device();
  const before = gpu.use();
  const models = await Promise.all([GPT2, LLAMA].map((path) => load(folder(path), { gpu })));
  await campaign("lifetimes", { cases: 120, seconds: 10 }, async (draw) => {
    const round = createRound(draw.pick(models), draw);
    for (let calls = draw.whole(3, 14); calls > 0; calls--) {
      await round.step();
      if (draw.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, draw.whole(0, 10)));
    }
    for (const { past, rows, disposed } of round.pasts) if (!disposed) assert.equal(past.ids, rows);
    for (const held of round.pasts) if (draw.chance(0.5)) round.dispose(held);
    for (const check of round.checks) await check();
    for (const held of round.pasts) round.dispose(held);
    return "right";
  });
  for (const model of models) model.dispose();
  const after = gpu.use();
  assert.is(after.total - after.staging, before.total - before.staging);
});

test("models and decoders that are disposed at random end the calls in flight well", async () => {
  const gpu = await device();
  const before = gpu.use();
  const input_ids = [
    [57, 71, 34, 0],
    [12, 0],
  ];
  const one = await openModel(MARIAN);
  const want = await one.generate({ input_ids }, { num_beams: 2, max_new_tokens: 5 });
  const kept = gpu.use().total - gpu.use().staging - (before.total - before.staging); // of what stays loaded
  await campaign("disposals", { cases: 20, seconds: 4 }, async ({ whole, chance }) => {
    const m = await load(folder(MARIAN), { gpu });
    const calls = Array.from({ length: whole(1, 3) }, () =>
      m.generate({ input_ids }, { num_beams: 2, max_new_tokens: 5 }),
    );
    const decoder: Decoder | undefined = chance(0.5) ? await m.decoder({ input_ids }, { max_length: 4 }) : undefined;
    const fed = [96, 5, 6, 7].slice(0, whole(1, 4));
    const steps = decoder ? fed.map((id) => decoder.step([id, id])) : [];
    if (chance(0.5)) await new Promise((resolve) => setTimeout(resolve, whole(0, 30)));
    if (chance(0.5)) decoder?.dispose();
    m.dispose();
    await refuses(() => m.generate({ input_ids }), InputError, /^model: must not be used after dispose/);
    for (const call of calls) assert.equal((await call).sequences, want.sequences);
    await checkSteps(
      one,
      input_ids,
      input_ids.map(() => fed),
      await Promise.all(steps),
    ).catch((error: unknown) => {
      if (steps.length) throw error;
    });
    decoder?.dispose();
    return "right";
  });
  const after = gpu.use();
  assert.is(after.total - after.staging - kept, before.total - before.staging);
});
