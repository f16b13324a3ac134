import { sample, sampleParts } from "../src/kernels/index.js";
import { entriesOf } from "../src/kernels/sample_parts.js";
import { FLAG } from "../src/kernels/search_state.js";
import { type Gpu, gpu as openGpu } from "../src/runtime/gpu.js";
import { record } from "../src/runtime/plan.js";
import { tensor } from "../src/runtime/tensor.js";
import { args, values } from "./sample.args.js";
import { rowsOf } from "./topk.args.js";
import { assert, device, suite } from "./support/harness.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(sample, {
  args,
  values,
  tolerance: 1e-6, // measured 2.2e-7
  cases: {
    "one token": { R: 1, V: 1 },
    "every token": { R: 64, V: 12 },
    "one position for all rows": { R: 64, V: 12, stride: 0 },
    "one row of many tokens": { R: 1, V: 5000, tolerance: 4e-6 }, // a sum of 5000 terms: measured 9e-7
    "a temperature below one": { R: 64, V: 12, temperature: 0.3 },
    "a temperature above one": { R: 64, V: 12, temperature: 4 },
    "a temperature close to zero": { R: 64, V: 12, temperature: 1e-3 },
    top_k: { R: 64, V: 12, top_k: 3, temperature: 2 },
    "top_k 1": { R: 64, V: 12, top_k: 1 },
    "top_k, ties at the threshold": { R: 64, V: 12, top_k: 3, steps: 4 },
    "as many as there are tokens": { R: 64, V: 12, top_k: 12 },
    "more than there are tokens": { R: 64, V: 12, top_k: 50 },
    top_p: { R: 64, V: 12, top_p: 0.7 },
    "top_p, ties": { R: 64, V: 12, top_p: 0.6, steps: 3 },
    "top_p that keeps the best alone": { R: 64, V: 12, top_p: 1e-6 },
    "top_p, a temperature above one": { R: 64, V: 12, top_p: 0.7, temperature: 2 },
    "top_p of what top_k keeps": { R: 64, V: 12, top_k: 5, top_p: 0.5, temperature: 2 },
    min_p: { R: 64, V: 12, min_p: 0.2 },
    "min_p, a temperature above one": { R: 64, V: 12, min_p: 0.2, temperature: 3 },
    "min_p 1, ties": { R: 64, V: 12, min_p: 1, steps: 3 },
    "all together": { R: 64, V: 40, temperature: 1.5, top_k: 20, top_p: 0.9, min_p: 0.1 },
    "all together, one row": { R: 1, V: 997, temperature: 0.8, top_k: 100, top_p: 0.95, min_p: 0.01 },
    "seed 0": { R: 64, V: 12, seed: 0 },
    "the largest seed": { R: 64, V: 12, seed: 2 ** 32 - 1 },
    "late positions": { R: 64, V: 12, position: 100000 },
    "all equal": { R: 64, V: 12, gain: 0 },
    "far above zero": { R: 64, V: 12, offset: 1000, top_k: 9, top_p: 0.9, min_p: 0.05 },
    "far below zero": { R: 64, V: 12, offset: -1000, top_k: 9, top_p: 0.9, min_p: 0.05 },
    "banned tokens": { R: 64, V: 12, banned: 8 },
    "banned tokens, all together": { R: 64, V: 12, banned: 8, temperature: 1.5, top_k: 6, top_p: 0.9, min_p: 0.01 },
    "all but one banned": { R: 64, V: 12, banned: 11, temperature: 2, top_k: 3, top_p: 0.9 },
    "banned tokens, a temperature that levels all": { R: 64, V: 12, banned: 8, temperature: 3e38 },
    "fewer tokens than top_k": { R: 64, V: 12, banned: 8, top_k: 6, top_p: 0.9 },
    "all banned": { R: 3, V: 12, banned: 12 },
    "all banned, all together": { R: 3, V: 12, banned: 12, temperature: 1.5, top_k: 6, top_p: 0.9, min_p: 0.01 },
    "5 tokens": { R: 9, V: 5, top_k: 3, top_p: 0.9 },
    "7 tokens": { R: 9, V: 7, top_k: 3, top_p: 0.9 },
    "99 tokens": { R: 9, V: 99, top_k: 50, top_p: 0.9 },
    "minus infinity": { R: 9, V: 12, minus: 4 },
    "one short of a workgroup": { R: 7, V: 3 },
    "one over a workgroup": { R: 9, V: 3 },
    "status 1 goes on": { R: 2, V: 9, status: 1 },
    "status 0 writes nothing": { R: 2, V: 9, status: 0 },
    "rows of many kinds": { R: 23, V: 12, mixed: 1 },
    "rows of many kinds, in the lists of a search": { R: 23, V: 40, G: 3, C: 4, mixed: 1 },
    "a token in the first of many parts": { R: 9, V: 40, G: 300, C: 2, top_k: 7 },
    // two tokens of like logits: few of so many rows come close to a tie
    "rows past 65535": { R: 65537, V: 2, gain: 1, parts: 0 },
    "workgroups past 65535": { R: 8 * 65535 + 1, V: 1, parts: 0 },
  },
  mutants: {
    direct: {
      "rows that draw nothing": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("& FLAG_SAMPLES) != 0u", "& 255u) != 0u"),
      ],
      "as many candidates of all rows": [
        "rows of many kinds, in the lists of a search",
        (wgsl) => wgsl.replace("min(setting(rows[r].z, SETTING_C), params.C)", "params.C"),
      ],
      "a token in each part": [
        "a token in the first of many parts",
        (wgsl) => wgsl.replace("here = g == 0u && c == 0u", "here = c == 0u"),
      ],
      "a draw without noise": ["status 1 goes on", (wgsl) => wgsl.replace(" + noise(draw, v)", "")],
      "noise that is not Gumbel's": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("return -log(exponential(", "return log(exponential("),
      ],
      "a seed that is not used": ["status 1 goes on", (wgsl) => wgsl.replace("vec4u(seed,", "vec4u(0u,")],
      "one draw for all rows": ["status 1 goes on", (wgsl) => wgsl.replace("setting(b, SETTING_DRAW)", "0u")],
      "one draw for all positions": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("setting(b, SETTING_DRAW), rows[r].y", "setting(b, SETTING_DRAW), 0u"),
      ],
      "one draw for all tokens": ["status 1 goes on", (wgsl) => wgsl.replace("noise(draw, v)", "noise(draw, 0u)")],
      "the position of another row": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("setting(b, SETTING_DRAW), rows[r].y", "setting(b, SETTING_DRAW), rows[r / 2u].y"),
      ],
      "a temperature that is not used": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("own = gap / temperature", "own = gap"),
      ],
      "a top_k of one more": ["top_k 1", (wgsl) => wgsl.replace("f32(draw.top_k)", "f32(draw.top_k + 1u)")],
      "ties at a threshold that are dropped": [
        "top_k 1",
        (wgsl) => wgsl.replace("logits[at + v] < least", "logits[at + v] <= least"),
      ],
      "a top_p of all tokens": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("above(at, BANNED, least,", "above(at, BANNED, BANNED,"),
      ],
      "thresholds that count the token itself": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("logit > x && logit", "logit >= x && logit"),
      ],
      "a top_p without temperature": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("select(exp((logit - top) / temperature)", "select(exp(logit - top)"),
      ],
      "a top_p that forgets top_k": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("least = max(least, threshold(", "least = min(LOWEST, threshold("),
      ],
      "a min_p without temperature": [
        "min_p, a temperature above one",
        (wgsl) => wgsl.replace("temperature * log(draw.min_p)", "log(draw.min_p)"),
      ],
      "a min_p of all": ["min_p 1, ties", (wgsl) => wgsl.replace("log(draw.min_p)", "log(draw.min_p * 12.0)")],
      "a sum of all": [
        "top_k 1",
        (wgsl) =>
          wgsl.replace("select(-1.0, total,", "select(-1.0, above(at, BANNED, BANNED, top, temperature, false),"),
      ],
      "banned tokens that are drawn": [
        "banned tokens, a temperature that levels all",
        (wgsl) => wgsl.replace("var least = BANNED", "var least = ABSENT"),
      ],
      "a token where none is allowed": ["all banned", (wgsl) => wgsl.replace("var token = NO_ID", "var token = 0u")],
      "a fault that is not marked": ["minus infinity", (wgsl) => wgsl.replace("select(-1.0, total, finite)", "total")],
      "a guard that is one row late": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("r >= params.R", "r > params.R").replace("!draws(r)", "false"),
      ],
      "a grid without y": ["workgroups past 65535", (wgsl) => wgsl.replace("group.y * grid.x + group.x", "group.x")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
    shared: {
      "rows that draw nothing": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("& FLAG_SAMPLES) != 0u", "& 255u) != 0u"),
      ],
      "as many candidates of all rows": [
        "rows of many kinds, in the lists of a search",
        (wgsl) => wgsl.replace("min(setting(rows[r].z, SETTING_C), params.C)", "params.C"),
      ],
      "a token in each part": [
        "a token in the first of many parts",
        (wgsl) => wgsl.replace("here = g == 0u && c == 0u", "here = c == 0u"),
      ],
      "parts past the lanes that stay": [
        "a token in the first of many parts",
        (wgsl) => wgsl.replace("g < params.G; g += LANES", "g < min(params.G, LANES); g += LANES"),
      ],
      "a draw without noise": ["minus infinity", (wgsl) => wgsl.replace(" + noise(draw, id)", "")],
      "parts of equal weight": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("select(exp(gap / draw.temperature), 0.0,", "select(1.0, 0.0,"),
      ],
      "a sum without its root": ["minus infinity", (wgsl) => wgsl.replace("stride > 0u", "stride > 1u")],
      "a largest that is a sum": [
        "minus infinity",
        (wgsl) => wgsl.replace("max(partial[lane], other), largest", "partial[lane] + other, largest"),
      ],
      "a top_k of one more": ["top_k", (wgsl) => wgsl.replace("f32(draw.top_k)", "f32(draw.top_k + 1u)")],
      "a top_p of all tokens": [
        "top_p of what top_k keeps",
        (wgsl) => wgsl.replace("limit = draw.top_p * found", "limit = draw.top_p"),
      ],
      "a min_p without temperature": [
        "min_p, a temperature above one",
        (wgsl) => wgsl.replace("draw.temperature * log(draw.min_p)", "log(draw.min_p)"),
      ],
      "thresholds that drop their own logit": [
        "top_k, ties at the threshold",
        (wgsl) => wgsl.replace("select(low - 1u,", "select(low,"),
      ],
      "a search in entries that were left behind": [
        "top_p",
        (wgsl) => wgsl.replace("if (enough) { lows[l] =", "if (!enough) { lows[l] ="),
      ],
      "a part that is forgotten": ["top_k", (wgsl) => wgsl.replaceAll("l < params.P", "l + 1u < params.P")],
      "entries of all where there are thresholds": [
        "top_k",
        (wgsl) => wgsl.replaceAll("entries == 0u)", "entries >= 0u)"),
      ],
      "a token where none is allowed": [
        "all banned",
        (wgsl) =>
          wgsl.replace("store(r, g, score, tokens[0], sum)", "store(r, g, score, min(tokens[0], params.V), sum)"),
      ],
      "a fault that is not marked": [
        "minus infinity",
        (wgsl) => wgsl.replace("select(weights[0], -1.0,", "select(weights[0], 1.0,"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "rows of three fields": [
      { R: 1, V: 4 },
      (args) => {
        args.rows = u32([1, 3], () => 0);
      },
      /rows must be u32\[R,4\] with R=1, got rows u32\[1,3\]/,
    ],
    "logits of other rows": [
      { R: 2, V: 4 },
      (args) => {
        args.logits = f32([3, 4], () => 0);
      },
      /logits must be f32\[R,V\] with R=2, V=4, got logits f32\[3,4\]/,
    ],
    "values without maximum and sum": [
      { R: 1, V: 4 },
      (args) => {
        args.values = f32([1, 1, 2], () => 0);
      },
      /values must be f32\[R,G,C\+2\] with R=1, G=1, C=1, got values f32\[1,1,2\]/,
    ],
    "logits that are missing": [
      { R: 1, V: 4 },
      (args) => {
        args.logits = undefined;
      },
      /logits must be f32\[R,V\], got nothing/,
    ],
  },
});

interface Draws {
  readonly rows?: number;
  readonly temperature?: number;
  readonly top_k?: number;
  readonly top_p?: number;
  readonly min_p?: number;
  readonly seed?: number;
  readonly position?: (row: number) => number;
}

/** Runs the kernel on rows of the same logits, after `sample_parts` on a device for GPUs; tells the token and the sum of each. */
async function draw(
  gpu: Gpu,
  logits: readonly number[],
  given: Draws = {},
): Promise<readonly { token: number; sum: number }[]> {
  const { rows: R = 20000, temperature = 1, top_k = 0, top_p = 1, min_p = 0, seed = 1, position = () => 3 } = given;
  const V = logits.length;
  const rules = { flags: FLAG.samples, temperature, top_k, top_p, min_p, seed };
  const asked = rowsOf(
    Array.from({ length: R }, (_, r) => ({ ...rules, draw: r })),
    position,
  );
  const rows = tensor("rows", "u32", asked.rows.shape);
  const sentences = tensor("sentences", "u32", asked.sentences.shape);
  const scores = tensor("logits", "f32", [R, V]);
  const values = tensor("values", "f32", [R, 1, 3]);
  const indices = tensor("indices", "u32", [R, 1, 1]);
  const plan = record("sample", (run) => {
    const read = { rows, sentences, logits: scores };
    const P = gpu.class.adapter === "cpu" ? 0 : Math.ceil(V / 4);
    const sizes = { P, X: P && entriesOf(V, rules, P) };
    const parts = P ? run(sampleParts, "sample_parts", read, sizes) : {};
    run(sample, "sample", { ...read, ...parts, values, indices }, { G: 1, C: 1, ...sizes });
  });
  gpu.write(rows, asked.rows.data);
  gpu.write(sentences, asked.sentences.data);
  gpu.write(
    scores,
    Float32Array.from({ length: R * V }, (_, i) => logits[i % V]),
  );
  const prepared = await gpu.prepare(plan);
  const [sums, tokens] = await prepared.run({ read: [values, indices] });
  prepared.dispose();
  gpu.memory.free([rows, sentences, scores, values, indices]);
  return Array.from(tokens, (token, r) => ({ token, sum: sums[3 * r + 2] }));
}

const test = suite("sample");

let opening: Promise<Gpu> | undefined;
const forGpus = (): Promise<Gpu> => (opening ??= openGpu({ adapter: "gpu", guard: true }));
const DEVICES = { "on a CPU": device, "in variants for GPUs": forGpus };

// The sum alone is told of a row that is not finite.
for (const [where, gpu] of Object.entries(DEVICES)) {
  test(`marks every row that is not finite, and no other, ${where}`, async () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (const at of [0, 4, 8]) {
        const logits = Array.from({ length: 9 }, (_, id) => (id === at ? bad : id / 4));
        for (const { sum } of await draw(await gpu(), logits, { rows: 2, top_k: 4, top_p: 0.9 })) {
          assert.is(sum, -1, `${bad} at ${at}`);
        }
      }
    }
    for (const { sum } of await draw(await gpu(), [3.4e38, -3.4e38, 0], { rows: 2 })) assert.ok(sum >= 1 && sum <= 3);
  });
}

// Probabilities, so that what each rule keeps can be told by hand; 0.15 comes three times.
const P = [0.05, 0.15, 0.3, 0.15, 0.02, 0.15, 0.08, 0.1];
const SUPPORTS: Readonly<Record<string, readonly [given: Draws, kept: readonly number[]]>> = {
  everything: [{}, [0, 1, 2, 3, 4, 5, 6, 7]],
  "top_k 2, with all that tie": [{ top_k: 2 }, [1, 2, 3, 5]],
  "top_k 5": [{ top_k: 5 }, [1, 2, 3, 5, 7]],
  "top_p 0.29": [{ top_p: 0.29 }, [2]],
  "top_p 0.31, with all that tie": [{ top_p: 0.31 }, [1, 2, 3, 5]],
  "top_p 0.74": [{ top_p: 0.74 }, [1, 2, 3, 5]],
  "top_p 0.76": [{ top_p: 0.76 }, [1, 2, 3, 5, 7]],
  "top_p 0.76 of the best two": [{ top_k: 2, top_p: 0.76 }, [1, 2, 3, 5]],
  "min_p 0.32": [{ min_p: 0.32 }, [1, 2, 3, 5, 7]],
  "min_p 0.34": [{ min_p: 0.34 }, [1, 2, 3, 5]],
  "min_p 0.32 of flattened probabilities": [{ min_p: 0.32, temperature: 2 }, [0, 1, 2, 3, 5, 6, 7]],
  "top_p 0.31 of sharpened probabilities": [{ top_p: 0.31, temperature: 0.5 }, [2]],
};
for (const [where, gpu] of Object.entries(DEVICES)) {
  for (const [name, [given, kept]] of Object.entries(SUPPORTS)) {
    test(`draws every token that the rules keep and no other, ${where}: ${name}`, async () => {
      const drawn = await draw(await gpu(), [...P.map(Math.log), -3e38], { ...given, rows: 2000 });
      assert.equal(
        [...new Set(drawn.map(({ token }) => token))].sort((a, b) => a - b),
        kept,
      );
    });
  }
}

// Upper critical values of chi-square at 0.001 by degrees of freedom:
// NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
const CRITICAL: Readonly<Record<number, number>> = { 3: 16.266, 11: 31.264 };

const TWELVE = [0.3, -1.2, 1.9, 0, -0.4, 1.1, -2, 0.8, 2.3, -0.9, 0.5, 1.4];
const all = TWELVE.map((_, id) => id);

/** Chi-square of 20,000 draws against softmax(logits / temperature) of the kept ids, over its critical value. */
async function fit(kept: readonly number[], temperature: number, given: Draws): Promise<number> {
  const drawn = await draw(await device(), TWELVE, given);
  const weights = kept.map((id) => Math.exp(TWELVE[id] / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  const counts = kept.map((id) => drawn.filter(({ token }) => token === id).length);
  assert.is(
    counts.reduce((a, b) => a + b, 0),
    drawn.length,
    "tokens that must not be drawn",
  );
  const chi = counts.reduce((sum, count, i) => {
    const expected = (drawn.length * weights[i]) / total;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  return chi / CRITICAL[kept.length - 1];
}

// The best four have 0.86 of softmax(TWELVE / 0.7), the best three 0.78.
const NUCLEUS = [2, 5, 8, 11];
// At 0.001 chance fails a good sampler too: with row = position, seed 11 alone of the seeds 0 to 619 does.
const FITS: Readonly<Record<string, readonly [kept: readonly number[], given: Draws]>> = {
  "rows at one position": [all, {}],
  "rows at as many positions": [all, { position: (row) => row }],
  "another seed": [all, { seed: 2 }],
  "temperature 0.7 and top_p 0.8": [NUCLEUS, { temperature: 0.7, top_p: 0.8 }],
  "temperature 0.7 and top_p 0.8, as many positions": [
    NUCLEUS,
    { temperature: 0.7, top_p: 0.8, position: (row) => row },
  ],
};
for (const [name, [kept, given]] of Object.entries(FITS)) {
  test(`20000 draws fit softmax: ${name}`, async () => {
    const share = await fit(kept, given.temperature ?? 1, given);
    assert.ok(share < 1, `chi-square must be below its critical value, got ${share.toFixed(2)} of it`);
  });
}
test("20000 draws at temperature 1 do not fit temperature 1.1", async () => {
  assert.ok((await fit(all, 1.1, {})) > 1);
});

const MANY = Array.from({ length: 5003 }, (_, id) => 12 * Math.sin(id * id)); // in parts of 1001
const ALIKE: Readonly<Record<string, Draws>> = {
  "all tokens": {},
  "all tokens, flattened": { temperature: 8 },
  top_k: { top_k: 50 },
  "a large top_k": { top_k: 2000, temperature: 8 },
  top_p: { top_p: 0.9 },
  "a large top_p": { top_p: 0.99, temperature: 8 },
  min_p: { min_p: 0.1 },
  "all together": { top_k: 50, top_p: 0.9, min_p: 0.01, temperature: 2 },
};
for (const [name, given] of Object.entries(ALIKE)) {
  test(`a seed draws on a GPU what it draws on a CPU: ${name}`, async () => {
    const options = { rows: 40, seed: 5, ...given };
    const [want, got] = [await draw(await device(), MANY, options), await draw(await forGpus(), MANY, options)];
    const tokens = (drawn: typeof got): number[] => drawn.map(({ token }) => token);
    assert.equal(tokens(got), tokens(want));
    got.forEach(({ sum }, r) => assert.ok(Math.abs(sum / want[r].sum - 1) < 1e-5, `${sum} instead of ${want[r].sum}`));
  });
}
