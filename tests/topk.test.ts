import { topk } from "../src/kernels/index.js";
import { record } from "../src/runtime/plan.js";
import { tensor } from "../src/runtime/tensor.js";
import { args, values } from "./topk.args.js";
import { assert, device, suite } from "./support/harness.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(topk, {
  args,
  values,
  tolerance: 6e-7, // measured 1.6e-7
  cases: {
    "one logit": { R: 1, V: 1, G: 1, C: 1 },
    "one part": { R: 3, V: 100, G: 1, C: 8 },
    "parts that divide the row": { R: 2, V: 96, G: 4, C: 8 },
    "a shorter last part": { R: 3, V: 101, G: 4, C: 8 },
    "parts shorter than C": { R: 3, V: 10, G: 4, C: 8 },
    "an empty part": { R: 2, V: 5, G: 4, C: 2 },
    "more parts than ids": { R: 2, V: 3, G: 8, C: 4 },
    ties: { R: 4, V: 60, G: 3, C: 8, steps: 3 },
    "all equal": { R: 2, V: 20, G: 2, C: 4, gain: 0, offset: 1 },
    rising: { R: 1, V: 40, G: 2, C: 6, gain: 0, slope: 0.25 },
    falling: { R: 1, V: 40, G: 2, C: 6, gain: 0, slope: -0.25 },
    "the longest list in registers": { R: 2, V: 300, G: 3, C: 16 },
    "a list of 17": { R: 2, V: 300, G: 3, C: 17 },
    "the longest list": { R: 2, V: 600, G: 3, C: 128 },
    "a long list of ties": { R: 2, V: 300, G: 3, C: 64, steps: 5 },
    "parts that begin within a vector": { R: 3, V: 1031, G: 7, C: 4, steps: 40 },
    "parts past 512 logits": { R: 2, V: 2503, G: 2, C: 8 },
    "a row that rises, long parts": { R: 1, V: 2503, G: 2, C: 8, gain: 0, slope: 0.01, tolerance: 4e-6 }, // measured 1.3e-6
    "far above zero": { R: 2, V: 64, G: 2, C: 4, offset: 1000 },
    "far below zero": { R: 2, V: 64, G: 2, C: 4, offset: -1000 },
    "banned ids, a part with no other": { R: 2, V: 24, G: 4, C: 4, banned: 9 },
    "all banned": { R: 2, V: 7, G: 2, C: 3, banned: 7 },
    "banned ids, a short list": { R: 2, V: 24, G: 2, C: 2, banned: 11 },
    "7 ids in 3 parts": { R: 3, V: 7, G: 3, C: 12 },
    "99 ids": { R: 3, V: 99, G: 1, C: 5 },
    "minus infinity": { R: 2, V: 24, G: 3, C: 4, minus: 11 },
    "one short of a workgroup": { R: 21, V: 12, G: 3, C: 2 },
    "one over a workgroup": { R: 13, V: 12, G: 5, C: 2 },
    "status 1 goes on": { R: 2, V: 9, G: 2, C: 2, status: 1 },
    "status 0 writes nothing": { R: 2, V: 9, G: 2, C: 2, status: 0 },
    "rows that are idle": { R: 12, V: 30, G: 2, C: 3, rows: 1 },
    "rows of many kinds": { R: 23, V: 60, G: 3, C: 8, mixed: 1 },
    "rows of many kinds, ties": { R: 23, V: 60, G: 3, C: 8, steps: 3, mixed: 1 },
    "rows of many kinds, a long list": { R: 13, V: 200, G: 2, C: 33, mixed: 1 },
    "rows of many kinds, few ids that are allowed": { R: 13, V: 20, G: 2, C: 8, banned: 9, mixed: 1 },
    "rows past 65535": { R: 65537, V: 4, G: 1, C: 2 },
  },
  mutants: {
    direct: {
      "rows that are idle and listed": ["rows that are idle", (wgsl) => wgsl.replace("sentence == NO_ID", "false")],
      "as many candidates of all rows": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("min(setting(sentence, SETTING_C), params.C)", "params.C"),
      ],
      "rows that draw and are listed": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("& FLAG_SAMPLES) != 0u", "& FLAG_SAMPLES) == 7u"),
      ],
      "a short list that is stored late": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("store(index, c - skip,", "store(index, c,"),
      ],
      "ties to the larger id": [
        "all equal",
        (wgsl) => wgsl.replace("moved || value > other", "moved || value >= other"),
      ],
      "ties to the larger id, in a long list": [
        "a long list of ties",
        (wgsl) => wgsl.replace("best[c - 1u] < x", "best[c - 1u] <= x"),
      ],
      "a missing maximum": ["parts shorter than C", (wgsl) => wgsl.replace("exp(x - top)", "exp(x)")],
      "a sum that is not scaled anew": [
        "a shorter last part",
        (wgsl) => wgsl.replace("total *= exp(top - highest);", ""),
      ],
      "parts rounded down": [
        "parts shorter than C",
        (wgsl) => wgsl.replace("(params.V + params.G - 1u) / params.G", "params.V / params.G"),
      ],
      "a part that runs into the next": [
        "parts shorter than C",
        (wgsl) => wgsl.replace("at + 4u < vec4u(end)", "at >= vec4u(0u)"),
      ],
      "a first half that runs into the next": [
        "parts shorter than C",
        (wgsl) => wgsl.replace("x, at < vec4u(end)", "x, at >= vec4u(0u)"),
      ],
      "a last part that runs into the next row": [
        "parts shorter than C",
        (wgsl) => wgsl.replace("min(begin + length, row + params.V)", "begin + length"),
      ],
      "a first place that is never taken": ["a list of 17", (wgsl) => wgsl.replace("c > 0u && best", "c > 1u && best")],
      "ids that do not move with their logits": [
        "a list of 17",
        (wgsl) => wgsl.replace("    ids[c] = ids[c - 1u];\n", ""),
      ],
      "ids of the rows before": ["parts shorter than C", (wgsl) => wgsl.replace("i + j - row", "i + j")],
      "a second half that is not searched": ["ties", (wgsl) => wgsl.replace("j < 8u", "j < 4u")],
      "a fault that is not marked": [
        "minus infinity",
        (wgsl) => wgsl.replace("select(-1.0, select", "select(1.0, select"),
      ],
      "banned candidates": ["all banned", (wgsl) => wgsl.replace("logit <= BANNED", "false")],
      "a guard that is one row late": ["parts shorter than C", (wgsl) => wgsl.replace("r >= params.R", "r > params.R")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
    shared: {
      "rows that are idle and listed": ["rows that are idle", (wgsl) => wgsl.replace("sentence == NO_ID", "false")],
      "as many candidates of all rows": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("min(setting(sentence, SETTING_C), params.C)", "params.C"),
      ],
      "rows that draw and are listed": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("& FLAG_SAMPLES) != 0u", "& FLAG_SAMPLES) == 7u"),
      ],
      "ties to the larger id": ["all equal", (wgsl) => wgsl.replace("b.id < a.id", "b.id > a.id")],
      "ties that are taken once": [
        "ties",
        (wgsl) => wgsl.replace(" | ((x == vec4f(peak.logit)) & (at > vec4u(peak.id)))", ""),
      ],
      "a best that is not given up": [
        "an empty part",
        (wgsl) => wgsl.replace("ABSENT), x, later)", "ABSENT), x, true)"),
      ],
      "a sum that is not scaled anew": [
        "a row that rises, long parts",
        (wgsl) => wgsl.replace("total * exp(before - best.logit)", "total"),
      ],
      "sums of other maxima": ["an empty part", (wgsl) => wgsl.replace("* exp(own - top)", "")],
      "a fault that is not marked": ["minus infinity", (wgsl) => wgsl.replace("sums[0], -1.0,", "sums[0], 1.0,")],
      "a part that runs into the next": [
        "an empty part",
        (wgsl) => wgsl.replace("min(begin + length, params.V)", "params.V"),
      ],
      "banned candidates": ["all banned", (wgsl) => wgsl.replace("logit <= BANNED", "false")],
      "a tree that forgets a third": [
        "parts past 512 logits",
        (wgsl) => wgsl.replace("other < many; other", "other < 3u * quarter; other"),
      ],
      "logits past the end of the part": [
        "a shorter last part",
        (wgsl) => wgsl.replace("x, at < vec4u(end))", "x, at >= vec4u(0u))"),
      ],
      "a tree without its root": ["an empty part", (wgsl) => wgsl.replace("stride > 0u", "stride > 1u")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "a list that is too long": [{ R: 1, V: 100, G: 1, C: 129 }, () => {}, /C must be at most 128, got 129/],
    "ids of a wrong format": [
      { R: 1, V: 8, G: 2, C: 2 },
      (args) => {
        args.indices = f32([1, 2, 2], () => 0);
      },
      /indices must be u32\[R,G,C\] with R=1, G=2, C=2, got indices f32\[1,2,2\]/,
    ],
    "values without maximum and sum": [
      { R: 1, V: 8, G: 2, C: 2 },
      (args) => {
        args.values = f32([1, 2, 2], () => 0);
      },
      /values must be f32\[R,G,C\+2\] with R=1, G=2, C=2, got values f32\[1,2,2\]/,
    ],
    "logits that are missing": [
      { R: 1, V: 8, G: 2, C: 2 },
      (args) => {
        args.logits = undefined;
      },
      /logits must be f32\[R,V\], got nothing/,
    ],
  },
});

// The order of NaN is nobody's; the sums alone are told here.
suite("topk")("marks every part that is not finite, and no other", async () => {
  const gpu = await device();
  const [V, G, C] = [12, 3, 2];
  const faults = [[], [5], [0], [11], [4, 8], [0, 1, 2, 3], [7]];
  const bad = [NaN, Infinity, -Infinity];
  const R = faults.length * bad.length;
  const logits = tensor("logits", "f32", [R, V]);
  const values = tensor("values", "f32", [R, G, C + 2]);
  const plan = record("topk", (run) => void run(topk, "topk", { logits, values }, { G, C }));
  const of = (r: number): number[] => faults[Math.floor(r / bad.length)];
  gpu.write(
    logits,
    Float32Array.from({ length: R * V }, (_, i) => {
      const [r, id] = [Math.floor(i / V), i % V];
      return of(r).includes(id) ? bad[r % bad.length] : id / 4;
    }),
  );
  const prepared = await gpu.prepare(plan);
  const [got] = await prepared.run({ read: [values] });
  for (let part = 0; part < R * G; part++) {
    const faulty = of(Math.floor(part / G)).some((id) => Math.floor(id / (V / G)) === part % G);
    const sum = got[part * (C + 2) + C + 1];
    const right = faulty ? sum === -1 : sum >= 1 && sum <= V / G;
    assert.ok(right, `sum of part ${part} must ${faulty ? "" : "not "}be -1, got ${sum}`);
  }
  prepared.dispose();
  gpu.memory.free([logits, values]);
});
