import { partsOfDraw } from "../src/kernels/sample_parts.js";
import { sampleParts } from "../src/kernels/index.js";
import { args, values } from "./sample_parts.args.js";
import { assert, suite } from "./support/harness.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(sampleParts, {
  args,
  values,
  tolerance: 1e-6,
  cases: {
    "one token": { R: 1, V: 1, G: 1, C: 1 },
    "no thresholds": { R: 9, V: 12, G: 2, C: 0 },
    "one entry": { R: 9, V: 12, G: 2, C: 1 },
    "all entries": { R: 9, V: 12, G: 3, C: 4 },
    "one part": { R: 9, V: 12, G: 1, C: 12 },
    "a part that is shorter": { R: 9, V: 14, G: 3, C: 5 },
    "parts that are empty": { R: 3, V: 5, G: 4, C: 2 },
    "a width that is no whole four": { R: 5, V: 99, G: 3, C: 20 },
    "as many tokens as a part may have": { R: 2, V: 512, G: 1, C: 50, tolerance: 3e-6 },
    "as many entries as a part may have": { R: 1, V: 1023, G: 2, C: 512, tolerance: 3e-6, node: 1 },
    "many parts": { R: 2, V: 5003, G: 11, C: 40, tolerance: 3e-6 },
    "ties: the last entry stands for all that equal it": { R: 9, V: 40, G: 2, C: 3, steps: 3 },
    "ties, all entries": { R: 9, V: 40, G: 2, C: 20, steps: 3 },
    "all equal": { R: 9, V: 40, G: 2, C: 5, gain: 0 },
    "a temperature below one": { R: 9, V: 40, G: 2, C: 5, temperature: 0.3 },
    "a temperature above one": { R: 9, V: 40, G: 2, C: 5, temperature: 4 },
    "a temperature close to zero": { R: 9, V: 40, G: 2, C: 5, temperature: 1e-3 },
    "another seed": { R: 9, V: 40, G: 2, C: 5, seed: 2 ** 32 - 1 },
    "one position for all rows": { R: 9, V: 40, G: 2, C: 5, stride: 0 },
    "far below zero": { R: 9, V: 40, G: 2, C: 5, offset: -1000 },
    "banned tokens": { R: 9, V: 40, G: 2, C: 5, banned: 18 },
    "a part that is banned": { R: 9, V: 40, G: 2, C: 5, banned: 22 },
    "all banned": { R: 3, V: 12, G: 2, C: 3, banned: 12 },
    "minus infinity": { R: 9, V: 12, G: 2, C: 3, minus: 4 },
    "status 1 goes on": { R: 2, V: 9, G: 2, C: 2, status: 1 },
    "status 0 writes nothing": { R: 2, V: 9, G: 2, C: 2, status: 0 },
    "workgroups past 65535": { R: 65537, V: 1, G: 1, C: 1, node: 1 },
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
        (wgsl) => wgsl.replace("count_from(sorted[C - 1u].x) - 1u", "C - 1u"),
      ],
      "a draw without noise": ["one part", (wgsl) => wgsl.replace(" - log(exponential(r, rows[r].y, entry.y))", "")],
      "one draw for all rows": [
        "one position for all rows",
        (wgsl) => wgsl.replace("exponential(r, rows", "exponential(0u, rows"),
      ],
      "one draw for all positions": ["one part", (wgsl) => wgsl.replace("rows[r].y, entry.y)", "0u, entry.y)")],
      "a seed that is not used": ["another seed", (wgsl) => wgsl.replace("vec4u(params.seed,", "vec4u(0u,")],
      "a temperature that is not used": [
        "a temperature above one",
        (wgsl) => wgsl.replace("own = gap / params.temperature", "own = gap"),
      ],
      "an entry without those before": ["one part", (wgsl) => wgsl.replace("joined(before, both)", "both")],
      "a sum of all that is one invocation's": [
        "many parts",
        (wgsl) => wgsl.replace("select(draws[LANES - 1u].weight", "select(draws[0].weight"),
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
        (wgsl) => wgsl.replace("select(draws[LANES - 1u].weight, -1.0,", "select(draws[LANES - 1u].weight, 1.0,"),
      ],
      "a grid without y": ["workgroups past 65535", (wgsl) => wgsl.replace("group.y * grid.x + group.x", "group.x")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == 0u", "status[0] == 7u"),
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
    "parts that are too long": [{ R: 1, V: 513, G: 1, C: 0 }, () => {}, /G must be at least 2 for V=513, got 1/],
    "more entries than a part has": [{ R: 1, V: 20, G: 2, C: 11 }, () => {}, /C must be at most 10, .* got 11/],
    "a temperature that is 0 to a shader": [
      { R: 1, V: 4, temperature: 1e-39 },
      () => {},
      /temperature must be at least 1.2e-38, got 1e-39/,
    ],
  },
});

const test = suite("sample_parts");

test("a part lists as many logits as its thresholds may ask for", () => {
  const none = { top_k: 0, top_p: 1, min_p: 0 };
  assert.equal(partsOfDraw(128256, none), { G: 251, C: 0 });
  assert.equal(partsOfDraw(128256, { ...none, top_k: 50 }), { G: 251, C: 50 });
  assert.equal(partsOfDraw(128256, { ...none, top_k: 50, top_p: 0.9 }), { G: 251, C: 50 });
  assert.equal(partsOfDraw(128256, { ...none, top_k: 5000 }), { G: 251, C: 511 });
  assert.equal(partsOfDraw(128256, { ...none, top_p: 0.9 }), { G: 251, C: 511 });
  assert.equal(partsOfDraw(128256, { ...none, min_p: 0.1 }), { G: 251, C: 511 });
  assert.equal(partsOfDraw(9, { ...none, top_k: 9 }), { G: 1, C: 0 });
  assert.equal(partsOfDraw(9, { ...none, top_p: 0.9 }), { G: 1, C: 9 });
});
