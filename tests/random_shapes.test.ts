import * as kernels from "../src/kernels/index.js";
import type { Dims, Kernel, Variant } from "../src/runtime/kernel.js";
import * as attention from "./attention.args.js";
import * as attentionMerge from "./attention_merge.args.js";
import * as attentionStep from "./attention_step.args.js";
import * as attentionWeights from "./attention_weights.args.js";
import * as beamStep from "./beam_step.args.js";
import * as coverage from "./coverage.args.js";
import * as embed from "./embed.args.js";
import * as groupnorm from "./groupnorm.args.js";
import * as layernormResidual from "./layernorm_residual.args.js";
import * as logitsProcess from "./logits_process.args.js";
import * as matmul from "./matmul.args.js";
import * as pooling from "./pooling.args.js";
import * as rope from "./rope.args.js";
import * as sample from "./sample.args.js";
import * as sampleParts from "./sample_parts.args.js";
import * as topk from "./topk.args.js";
import { campaign, type Dice, torturing } from "./support/campaign.js";
import { device, randoms, suite } from "./support/harness.js";
import { runCase, type Table } from "./support/kernel.js";
import { recordLaunch } from "./support/launch.js";

const test = suite("random shapes", { chrome: "Node shows it", deno: "Node shows it" });

type Size = Readonly<Record<string, number>>;
type Arguments = Pick<Table<string, string>, "args" | "values">;

const CASES = torturing ? 60 : 3;

/** Any width, those that fours or words divide more often than others. */
const width = ({ whole, pick }: Dice): number =>
  pick([whole(1, 70), 4 * whole(1, 40), 32 * whole(1, 10), whole(200, 300)]);
const flag = ({ chance }: Dice): number => Number(chance(0.5));
/** Sizes that may be absent. */
const maybe = ({ chance }: Dice, size: Size): Size => (chance(0.4) ? size : {});
const status = (dice: Dice): Size => maybe(dice, { status: Number(dice.chance(0.7)) });

/** Heads, of which some share keys. */
function heads(dice: Dice, E: number): Size {
  const K = dice.whole(1, 3);
  return { K, H: K * dice.whole(1, 3), E };
}

/** What is drawn for each kernel, and the largest error that sums of such lengths have. */
const DRAWS: Readonly<Record<string, readonly [args: Arguments, tolerance: number, draw: (dice: Dice) => Size]>> = {
  matmul: [
    matmul,
    2e-5,
    (dice) => {
      const { whole, chance } = dice;
      const O = whole(1, 140);
      const Y = O + whole(0, 9);
      const norm = chance(0.25) ? whole(1, 2) : 0;
      const affine: Size = norm ? { gamma: flag(dice), beta: norm === 1 ? flag(dice) : 0 } : {};
      const flags = { bias: flag(dice), gated: flag(dice), residual: flag(dice), activation: whole(0, 5) };
      const sizes = { N: chance(0.5) ? whole(1, 9) : whole(1, 80), I: width(dice), O, Y, y_at: whole(0, Y - O) };
      return { ...sizes, ...flags, norm, ...affine, format: whole(0, 4), ...status(dice) };
    },
  ],
  attention: [
    attention,
    2e-6,
    (dice) => {
      const { whole, chance, pick } = dice;
      const E = pick([whole(1, 40), 4 * whole(1, 32), 64, 128, 256]);
      const S = whole(1, 90);
      const own: Size = chance(0.4)
        ? { self: 1, causal: flag(dice) }
        : { packed: flag(dice), mixed: flag(dice), pad: 4 * whole(0, 2) };
      const pool: Size = { ...maybe(dice, { pooled: 1, shared: whole(0, S) }), ...maybe(dice, { padding: 1 }) };
      const half = maybe(dice, E % 8 ? {} : { half: 1 });
      const sizes = { B: whole(1, 5), S, T: whole(1, Math.min(S, 20)), ...heads(dice, E) };
      return { ...sizes, ...own, ...pool, ...half, ...maybe(dice, { bias: whole(1, 9) }), ...status(dice) };
    },
  ],
  attention_step: [
    attentionStep,
    2e-6,
    (dice) => {
      const { whole, chance, pick } = dice;
      const E = pick([whole(1, 40), 4 * whole(1, 32), 64, 128]);
      const M = whole(1, 300);
      const places: Size =
        chance(0.5) && E % 2 === 0 ? { rotary: 1, interleaved: flag(dice) } : maybe(dice, { bias: whole(1, 9) });
      const half = maybe(dice, E % 8 ? {} : { half: 1 });
      const position = whole(0, M - 1);
      const rows: Size = { ...maybe(dice, { shared: whole(0, position) }), ...maybe(dice, { idle: 1 }) };
      const sizes = { B: whole(1, 3), W: whole(1, 3), M, position, ...heads(dice, E) };
      return { ...sizes, ...rows, ...places, ...half, norms: flag(dice), split: flag(dice), ...status(dice) };
    },
  ],
  attention_merge: [
    attentionMerge,
    2e-6,
    (dice) => {
      const [M, E] = [dice.whole(1, 700), dice.pick([dice.whole(1, 40), 4 * dice.whole(1, 32)])];
      return {
        R: dice.whole(1, 4),
        H: dice.whole(1, 5),
        M,
        E,
        position: dice.whole(0, M - 1),
        ...maybe(dice, { idle: 1 }),
        ...status(dice),
      };
    },
  ],
  attention_weights: [
    attentionWeights,
    2e-6,
    (dice) => {
      const S = dice.whole(1, 60);
      const own: Size = dice.chance(0.5) ? { self: 1, causal: flag(dice) } : { pad: 4 * dice.whole(0, 2) };
      const sizes = { B: dice.whole(1, 4), S, T: S + dice.whole(0, 4), ...heads(dice, width(dice)) };
      const pool: Size = { ...maybe(dice, { pooled: 1 }), ...maybe(dice, { padding: 1 }) };
      return { ...sizes, ...own, ...pool, ...maybe(dice, { bias: dice.whole(1, 9) }) };
    },
  ],
  embed: [
    embed,
    4e-6,
    (dice) => {
      const sizes = {
        N: dice.whole(1, 140),
        D: width(dice),
        V: dice.whole(2, 40),
        P: dice.whole(2, 30),
        format: dice.whole(0, 2),
      };
      const flags = { positions: flag(dice), segments: flag(dice), norm: flag(dice) };
      return { ...sizes, ...flags, scale: dice.pick([1, 22.6]), ...status(dice) };
    },
  ],
  layernorm_residual: [
    layernormResidual,
    8e-6,
    (dice) => {
      const sizes = { N: dice.whole(1, 140), D: dice.chance(0.2) ? dice.whole(1000, 2100) : width(dice) };
      return { ...sizes, residual: flag(dice), bias: flag(dice), rms: flag(dice), ...status(dice) };
    },
  ],
  groupnorm: [groupnorm, 4e-6, (dice) => ({ B: dice.whole(1, 4), S: dice.whole(1, 90), D: width(dice) })],
  pooling: [
    pooling,
    2e-6,
    (dice) => ({
      B: dice.whole(1, 70),
      most: dice.whole(1, 40),
      D: width(dice),
      mode: dice.whole(0, 5),
      normalize: flag(dice),
    }),
  ],
  rope: [
    rope,
    1e-6,
    (dice) => {
      const E = 2 * dice.whole(1, 70);
      const T = dice.whole(1, 5);
      const sizes = { B: dice.whole(1, 4), T, M: 9 + T, ...maybe(dice, { padding: 1 }), ...heads(dice, E) };
      const flags = { rotary: flag(dice), norms: flag(dice), interleaved: flag(dice) };
      return { ...sizes, position: dice.whole(0, 4), ...flags, ...maybe(dice, { half: 1 }), ...status(dice) };
    },
  ],
  topk: [
    topk,
    8e-6,
    (dice) => ({
      ...{
        R: dice.whole(1, 4),
        V: dice.pick([dice.whole(1, 300), dice.whole(3000, 9000)]),
        G: dice.whole(1, 9),
        C: dice.whole(1, 40),
      },
      ...{ steps: dice.pick([0, 0, 5]), banned: dice.pick([0, 0, 2]) },
      ...{ rows: flag(dice), mixed: flag(dice) },
      ...status(dice),
    }),
  ],
  logits_process: [
    logitsProcess,
    4e-6,
    (dice) => {
      const M = dice.whole(1, 30);
      const sizes = {
        B: dice.whole(1, 4),
        W: dice.whole(1, 4),
        V: dice.whole(1, 3000),
        M,
        position: dice.whole(0, M - 1),
      };
      const rules = {
        penalty: dice.pick([1, 1.5]),
        presence: dice.pick([0, 0.5]),
        ngram: dice.whole(0, 3),
        log: flag(dice),
      };
      return { ...sizes, ...rules, ...maybe(dice, sizes.V > 20 ? { mixed: 1 } : {}), ...status(dice) };
    },
  ],
  sample: [
    sample,
    1e-5,
    (dice) => {
      const { whole, pick } = dice;
      const thresholds = { top_k: pick([0, whole(1, 60)]), top_p: pick([1, 0.9, 0.5]), min_p: pick([0, 0.05]) };
      const sizes = { R: whole(1, 9), V: pick([whole(1, 99), whole(300, 3000)]), temperature: pick([1, 0.4, 2]) };
      const lists = { G: whole(1, 9), C: whole(1, 9), mixed: flag(dice) };
      return { ...sizes, ...thresholds, ...lists, seed: whole(1, 1e6), ...status(dice) };
    },
  ],
  sample_parts: [
    sampleParts,
    1e-5,
    (dice) => {
      const { whole, pick } = dice;
      const thresholds = { top_k: pick([0, whole(1, 60)]), top_p: pick([1, 0.9, 0.5]), min_p: pick([0, 0.05]) };
      const sizes = { R: whole(1, 9), V: pick([whole(1, 99), whole(300, 3000)]), temperature: pick([1, 0.4, 2]) };
      return { ...sizes, ...thresholds, mixed: flag(dice), seed: whole(1, 1e6), ...status(dice) };
    },
  ],
  beam_step: [
    beamStep,
    2e-6,
    (dice) => {
      const { whole, pick } = dice;
      const [W, M, X, V] = [whole(1, 9), whole(4, 90), whole(0, 3), whole(10, 60)];
      const sizes = { W, M, X, V, B: whole(1, 6), A: whole(1, 12), G: whole(1, 5), C: W + X, length: whole(1, M - 1) };
      const rules = {
        stop: whole(0, 2),
        penalty: pick([1, 0, 0.6, -1]),
        finished: whole(0, sizes.A),
        worst: pick([0.3, 9]),
      };
      return { ...sizes, ...rules, limit: sizes.length + whole(1, 9) };
    },
  ],
  coverage: [
    coverage,
    3e-6,
    (dice) => {
      const sizes = { B: dice.whole(1, 9), W: dice.whole(1, 5), T: dice.whole(1, 90), gap: dice.whole(0, 3) };
      return { ...sizes, position: dice.whole(0, 9), mixed: flag(dice), ...status(dice) };
    },
  ],
};

/** One of the ways in which a device can run a launch; of loops with a known bound, a few are unrolled, which takes long here. */
async function drawVariant(kernel: Kernel, dims: Dims, dice: Dice): Promise<Variant> {
  const { class: kind } = await device();
  const able = kernel.variants.filter(
    ({ needs = [], fits }) => needs.every((name) => kind.features.has(name)) && fits?.(dims, kind) !== false,
  );
  const variant = dice.pick(able);
  const tuning = dice.pick(variant.tunings?.(dims, kind) ?? [{}]) ?? {};
  const UNROLL = Number(dice.chance(0.1));
  return { ...variant, constants: (d, on) => ({ ...variant.constants?.(d, on), ...tuning, UNROLL }) };
}

for (const [name, [table, tolerance, draw]] of Object.entries(DRAWS)) {
  const found = Object.values<object>(kernels).find((one) => "name" in one && one.name === name);
  test(`${name}: any variant at any shape is its reference, and writes nothing past its end`, async () => {
    const kernel = found as Kernel;
    await campaign(`shapes of ${name}`, { cases: CASES, seconds: torturing ? 60 : 5 }, async (dice, index) => {
      const size = draw(dice);
      const random = (): (() => number) => randoms(index + 1);
      const { launch } = recordLaunch(kernel, table.args(size, random()), table.values(size));
      const variant = await drawVariant(kernel, launch.dims, dice);
      const fault = await runCase(
        await device(),
        { ...kernel, variants: [variant] },
        { ...table, tolerance },
        size,
        random(),
      );
      if (fault) throw new Error(`variant ${variant.name}, ${JSON.stringify(size)}: ${fault}`);
      return variant.name;
    });
  });
}
