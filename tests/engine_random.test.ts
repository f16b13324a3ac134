// Requests of every kind arrive at an engine at random moments. Each gives what it gives alone, and nothing is left.
import type { Model } from "../src/index.js";
import { campaign, type Dice, torturing } from "./support/campaign.js";
import {
  alone,
  type Arrival,
  drawArrival,
  drawShared,
  type Engine,
  type Family,
  follow,
  type Outcome,
  turn,
} from "./support/arrivals.js";
import { openModel } from "./support/checkpoint.js";
import { assert, device, runtime, suite } from "./support/harness.js";

const test = suite("random arrivals", { chrome: "its shaders compile for minutes; Node and Deno show it" });

const FAMILIES: readonly Family[] = [
  { path: "tests/fixtures/marian", V: 96, longest: 30, encoder: true },
  { path: "tests/fixtures/llama", V: 97, longest: 40 },
  { path: "tests/fixtures/gpt2", V: 97, longest: 40 },
];
const MORE: readonly Family[] = [
  { path: "models/gpt2-brown", V: 4096, longest: 40, stops: [" the", ",", "e"] },
  { path: "tests/fixtures/t5", V: 97, longest: 30, encoder: true },
  { path: "tests/fixtures/qwen3", V: 97, longest: 40 },
  { path: "models/g2p-en", V: 100, longest: 16, encoder: true, stops: ["AH0", "T"] },
];
const families = torturing ? [...FAMILIES, ...MORE] : FAMILIES;
const ARRIVALS = runtime === "deno" ? 6 : 20; // of a session
const SESSIONS = torturing ? 56 : 3;
const LENGTH = 64; // most tokens of a row: prompts and answers

/** Memory in use, without the buffers that reads keep. */
async function held(): Promise<number> {
  const { total, staging } = (await device()).use();
  return total - staging;
}

/** Calls `check` of an engine in every turn in which its steps have gone on, until `end` resolves. */
async function watch(engine: Engine, end: Promise<unknown>): Promise<void> {
  let going = true;
  void end.finally(() => (going = false)).catch(() => {}); // its own caller awaits it
  for (let seen = -1; going; await turn()) {
    const { steps } = engine.stats();
    if (steps !== seen) engine.check();
    seen = steps;
  }
}

/** Opens an engine of a size that makes requests wait, lets arrivals come, and closes it. Returns what became of them. */
async function session(dice: Dice, model: Model, family: Family): Promise<string[]> {
  const shared = drawShared(dice, family);
  const arrivals = Array.from({ length: ARRIVALS }, () => drawArrival(dice, family, shared));
  const want: Outcome[] = [];
  for (const arrival of arrivals) want.push(await alone(model, arrival));
  const before = await held();
  const engine = await model.engine({
    rows: dice.whole(16, 32),
    slots: dice.whole(400, 1200),
    length: LENGTH,
    beams: 16, // hypotheses: at most 8 beams with a patience of 2
    prefixes: family.encoder ? 0 : dice.pick([0, 100, 200]),
    waiting: ARRIVALS,
  });
  const play = async (arrival: Arrival, index: number): Promise<string> => {
    const told = `arrival ${index} ${JSON.stringify(arrival)}`;
    return follow(engine, family, arrival, want[index], told);
  };
  const arrive = async (): Promise<string[]> => {
    const following: Promise<string>[] = [];
    for (const [index, arrival] of arrivals.entries()) {
      following.push(play(arrival, index));
      following[index].catch(() => {}); // it is awaited below
      for (let count = dice.whole(0, 6); count > 0; count--) await turn();
    }
    return Promise.all(following);
  };
  const playing = arrive();
  await watch(engine, playing);
  const kinds = await playing;
  await engine.idle();
  engine.check();
  const { waiting, running, rows, slots } = engine.stats();
  assert.equal([waiting, running, rows.used, slots.used], [0, 0, 0, slots.shared], "only the prefixes hold slots");
  engine.forget();
  engine.check();
  assert.is(engine.stats().slots.used, 0, "nothing holds slots");
  engine.dispose();
  assert.is(await held(), before, "memory is back");
  return kinds;
}

test("every result is that of the request alone, no slot is lost, and memory is back", async () => {
  const outcomes: Record<string, number> = {};
  const budget = torturing ? { cases: SESSIONS, seconds: 900, patience: 120 } : { cases: SESSIONS };
  await campaign("sessions of an engine", budget, async (dice, index) => {
    const family = families[index % families.length];
    for (const kind of await session(dice, await openModel(family.path), family))
      outcomes[kind] = (outcomes[kind] ?? 0) + 1;
    return "right";
  });
  console.log(`arrivals: ${Object.entries(outcomes).map((pair) => pair.join(" ")).join(", ")}`); // prettier-ignore
  assert.ok(outcomes.right > 0);
});
