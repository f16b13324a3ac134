import { entriesOf, partsOf } from "../src/kernels/sample_parts.js";
import { sampleParts } from "../src/kernels/index.js";
import { args, values } from "./sample_parts.args.js";
import { assert, suite } from "./support/harness.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(sampleParts, {
  args,
  values,
  tolerance: 1e-6,
  cases: {
    "one token": { R: 1, V: 1, P: 1, top_p: 0.9 },
    "no thresholds": { R: 9, V: 12, P: 2 },
    "one entry": { R: 9, V: 12, P: 2, top_k: 1 },
    "all entries": { R: 9, V: 12, P: 3, top_p: 0.9 },
    "one part": { R: 9, V: 12, P: 1, top_p: 0.9 },
    "a part that is shorter": { R: 9, V: 14, P: 3, top_p: 0.9 },
    "parts that are empty": { R: 3, V: 5, P: 4, top_p: 0.9 },
    "a width that is no whole four": { R: 5, V: 99, P: 3, top_k: 20 },
    "as many tokens as a part may have": { R: 2, V: 512, P: 1, top_k: 50, tolerance: 3e-6 },
    "as many entries as a part may have": { R: 1, V: 1023, P: 2, top_p: 0.9, tolerance: 3e-6, node: 1 },
    "many parts": { R: 2, V: 5003, P: 11, top_k: 40, tolerance: 3e-6 },
    "ties: the last entry stands for all that equal it": { R: 9, V: 40, P: 2, top_k: 3, steps: 3 },
    "ties, all entries": { R: 9, V: 40, P: 2, top_p: 0.9, steps: 3 },
    "all equal": { R: 9, V: 40, P: 2, top_k: 5, gain: 0 },
    "a temperature below one": { R: 9, V: 40, P: 2, top_k: 5, temperature: 0.3 },
    "a temperature above one": { R: 9, V: 40, P: 2, top_k: 5, temperature: 4 },
    "a temperature close to zero": { R: 9, V: 40, P: 2, top_k: 5, temperature: 1e-3 },
    "another seed": { R: 9, V: 40, P: 2, top_k: 5, seed: 2 ** 32 - 1 },
    "one position for all rows": { R: 9, V: 40, P: 2, top_k: 5, stride: 0 },
    "far below zero": { R: 9, V: 40, P: 2, top_k: 5, offset: -1000 },
    "banned tokens": { R: 9, V: 40, P: 2, top_k: 5, banned: 18 },
    "a part that is banned": { R: 9, V: 40, P: 2, top_k: 5, banned: 22 },
    "all banned": { R: 3, V: 12, P: 2, top_k: 3, banned: 12 },
    "minus infinity": { R: 9, V: 12, P: 2, top_k: 3, minus: 4 },
    "status 1 goes on": { R: 2, V: 9, P: 2, top_k: 2, status: 1 },
    "status 0 writes nothing": { R: 2, V: 9, P: 2, top_k: 2, status: 0 },
    "rows of many kinds": { R: 23, V: 40, P: 3, mixed: 1 },
    "rows of many kinds, ties": { R: 23, V: 40, P: 3, steps: 3, mixed: 1 },
    "fewer entries than others have": { R: 9, V: 40, P: 2, X: 20, top_k: 3 },
    "no entries where others have some": { R: 9, V: 40, P: 2, X: 20 },
    "workgroups past 65535": { R: 65537, V: 1, P: 1, top_p: 0.9, node: 1 },
  },
  mutants: {
    direct: {
      "a sort that stops early": [
        "as many tokens as a part may have",
        (wgsl) => wgsl.replace("run < 2u * count", "run < count"),
      ],
      "a sort of one direction": ["all entries", (wgsl) => wgsl.replace("((i & run) == 0u)", "true")],
      "ties in any order": ["ties, all entries", (wgsl) => wgsl.replace("a.y < b.y", "a.y > b.y")],
      "ties that are dropped": [
        "ties: the last entry stands for all that equal it",
        (wgsl) => wgsl.replace("count_from(sorted[entries - 1u].x) - 1u", "entries - 1u"),
      ],
      "a draw without noise": ["one part", (wgsl) => wgsl.replace(" + noise(draw, entry.y)", "")],
      "one draw for all rows": ["one position for all rows", (wgsl) => wgsl.replace("setting(b, SETTING_DRAW)", "0u")],
      "one draw for all positions": [
        "one part",
        (wgsl) => wgsl.replace("setting(b, SETTING_DRAW), rows[r].y", "setting(b, SETTING_DRAW), 0u"),
      ],
      "a seed that is not used": ["another seed", (wgsl) => wgsl.replace("vec4u(seed,", "vec4u(0u,")],
      "a temperature that is not used": [
        "a temperature above one",
        (wgsl) => wgsl.replace("own = gap / draw.temperature", "own = gap"),
      ],
      "an entry without those before": ["one part", (wgsl) => wgsl.replace("joined(before, both)", "both")],
      "a sum of all that is one invocation's": [
        "many parts",
        (wgsl) => wgsl.replace("select(amongs[LANES - 1u].weight", "select(amongs[0].weight"),
      ],
      "parts of another length": ["many parts", (wgsl) => wgsl.replace("let length = ", "let length = 1u + ")],
      "tokens past the end of a part": [
        "a part that is shorter",
        (wgsl) => wgsl.replace("entry.y < end", "entry.y < end + 1u"),
      ],
      "banned tokens that weigh": [
        "all banned",
        (wgsl) => wgsl.replace("entry.x <= ordered(BANNED)", "entry.x <= ordered(ABSENT)"),
      ],
      "a fault that is not marked": [
        "minus infinity",
        (wgsl) => wgsl.replace("select(amongs[LANES - 1u].weight, -1.0,", "select(amongs[LANES - 1u].weight, 1.0,"),
      ],
      "rows that draw nothing": [
        "rows of many kinds",
        (wgsl) => wgsl.replace("& FLAG_SAMPLES) != 0u", "& 255u) != 0u"),
      ],
      "entries of the whole launch": [
        "fewer entries than others have",
        (wgsl) => wgsl.replace("return min(draw.top_k, length);", "return params.X;"),
      ],
      "a grid without y": ["workgroups past 65535", (wgsl) => wgsl.replace("group.y * grid.x + group.x", "group.x")],
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
    "parts that are too long": [{ R: 1, V: 513, P: 1, X: 0 }, () => {}, /P must be at least 2 for V=513, got 1/],
    "more entries than a part has": [{ R: 1, V: 20, P: 2, X: 11 }, () => {}, /X must be at most 10, .* got 11/],
  },
});

const test = suite("sample_parts");

test("a part lists as many logits as its thresholds may ask for", () => {
  const none = { top_k: 0, top_p: 1, min_p: 0 };
  assert.is(partsOf(128256), 251);
  assert.is(entriesOf(128256, none), 0);
  assert.is(entriesOf(128256, { ...none, top_k: 50 }), 50);
  assert.is(entriesOf(128256, { ...none, top_k: 50, top_p: 0.9 }), 50);
  assert.is(entriesOf(128256, { ...none, top_k: 5000 }), 511);
  assert.is(entriesOf(128256, { ...none, top_p: 0.9 }), 511);
  assert.is(entriesOf(128256, { ...none, min_p: 0.1 }), 511);
  assert.is(entriesOf(9, { ...none, top_k: 9 }), 0);
  assert.is(entriesOf(9, { ...none, top_p: 0.9 }), 9);
});
