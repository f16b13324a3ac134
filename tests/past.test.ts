// Laws of pasts and their forks, which share cache slots.
import { load, type Model, type PastKeyValues } from "../src/index.js";
import { assert, device, folder, suite } from "./support/harness.js";

const NODE = "Node shows it: the device runs nothing new";
const test = suite("pasts", { chrome: NODE, deno: NODE });

type Rows = readonly (readonly number[])[];

const idsOf = (seed: number, count: number): number[] =>
  Array.from({ length: count }, (_, t) => 4 + (((seed + 1) * (7 * t + 3)) % 90));
const joined = (rows: Rows, more: Rows): number[][] => rows.map((row, b) => [...row, ...more[b]]);
const FIRST = [idsOf(0, 30), idsOf(1, 5), idsOf(2, 17)];
const MORE = [idsOf(3, 20), [], [7]];
const OTHERS = [[9], [8, 8, 8], idsOf(4, 31)];

/** Runs `body` with a model of its own, which holds nothing in the end but its weights. */
async function within(name: string, body: (m: Model) => Promise<unknown>): Promise<void> {
  const gpu = await device();
  const before = gpu.use();
  const model = await load(folder(`tests/fixtures/${name}`), { gpu });
  try {
    await body(model);
  } finally {
    model.dispose();
  }
  const after = gpu.use();
  assert.is(after.total - after.staging, before.total - before.staging, "nothing is left");
}

/** Asserts that a past has these tokens, and goes on from them as from nothing, to the last bit. */
async function continues(m: Model, past: PastKeyValues, rows: Rows): Promise<void> {
  assert.equal(past.ids, rows);
  const options = { max_new_tokens: 4, num_beams: 2, output_scores: true, eos_token_id: null };
  const results = [];
  for (const inputs of [{ past_key_values: past }, { input_ids: rows }]) {
    const { sequences, sequences_scores, token_scores } = await m.generate(inputs, options);
    results.push({ sequences, sequences_scores, token_scores });
  }
  assert.equal(results[0], results[1]);
}

for (const name of ["llama", "gpt2"])
  test(`${name}: what forks and their forks read leaves the others as they were, in whatever order they go`, () =>
    within(name, async (m) => {
      const past = await m.past({ input_ids: FIRST });
      const [twin, brother] = await Promise.all([past.fork(), past.fork()]);
      await Promise.all([twin.append(MORE), brother.append(OTHERS), past.append([[1], [2], [3]])]);
      const third = await twin.fork({ max_length: 90 });
      await third.append(OTHERS);
      await continues(m, past, joined(FIRST, [[1], [2], [3]]));
      past.dispose();
      await continues(m, third, joined(joined(FIRST, MORE), OTHERS));
      await continues(m, twin, joined(FIRST, MORE));
      third.dispose();
      brother.truncate(12);
      await continues(
        m,
        brother,
        joined(FIRST, OTHERS).map((row) => row.slice(0, 12)),
      );
      await brother.append(MORE);
      await twin.append([[], [4, 4], []]);
      twin.dispose();
      await continues(
        m,
        brother,
        joined(
          joined(FIRST, OTHERS).map((row) => row.slice(0, 12)),
          MORE,
        ),
      );
      brother.dispose();
    }));

test("memory grows with the tokens, not with forks of them, and ends with the last of them", () =>
  within("llama", async (m) => {
    const { depth, K, E } = m.architecture.decoder!;
    const slot = 4 * 2 * K * E * depth;
    const before = m.memory().state;
    /** How many slots the state is as large as, but for the small inputs of plans and a table of rotations. */
    const held = (): number => Math.floor((m.memory().state - before) / slot);
    const past = await m.past({ input_ids: [idsOf(0, 40)] }, { max_length: 120 });
    const first = held();
    assert.ok(first >= 64 && first < 100, `64 slots, got ${first}`);
    const forks = await Promise.all([past.fork(), past.fork(), past.fork()]);
    assert.is(held(), first, "forks take none");
    for (const fork of forks) await fork.append([idsOf(1, 7)]);
    assert.is(held(), first, "their few tokens have room");
    for (const fork of forks) fork.truncate(20);
    for (const fork of forks) await fork.append([idsOf(2, 6)]);
    assert.is(held(), first, "what is truncated makes room");
    await forks[0].append([idsOf(3, 60)]);
    const second = held();
    assert.ok(second >= 128 && second < 164, `128 slots, got ${second}`);
    past.dispose();
    forks[1].dispose();
    await forks[2].append([idsOf(4, 30)]);
    assert.is(held(), second, "what is disposed makes room");
    await continues(m, forks[2], [[...idsOf(0, 20), ...idsOf(2, 6), ...idsOf(4, 30)]]);
    for (const fork of forks) fork.dispose();
  }));

test("rows longer than a chunk of a prompt are read as they are in one call", () =>
  within("qwen3", async (m) => {
    const rows = Array.from({ length: 40 }, (_, b) => idsOf(b, 40 + (b % 20))); // more than 2,048 tokens in all
    const past = await m.past({ input_ids: rows.map((row) => row.slice(0, 30)) });
    await past.append(rows.map((row) => row.slice(30)));
    const whole = await m.past({ input_ids: rows });
    const options = { max_new_tokens: 2, output_scores: true, eos_token_id: null };
    const [one, other] = [past, whole].map((past_key_values) => m.generate({ past_key_values }, options));
    assert.equal((await one).token_scores, (await other).token_scores);
    assert.equal((await one).token_scores, (await m.generate({ input_ids: rows }, options)).token_scores);
    past.dispose();
    whole.dispose();
  }));
