import { relativeBias, relativeBucket } from "../src/kernels/attention.js";
import { attention } from "../src/kernels/index.js";
import { assert, suite } from "./support/harness.js";
import { args, values } from "./attention.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(attention, {
  args,
  values,
  tolerance: 5e-7, // measured 1e-7
  cases: {
    "tiles that straddle sentences": { B: 5, S: 9, T: 5, H: 4, K: 2, E: 20, mixed: 1, packed: 1 },
    "three blocks": { B: 1, S: 150, T: 5, H: 4, K: 2, E: 8 },
    "one key over a block": { B: 1, S: 65, T: 3, H: 1, K: 1, E: 8 },
    // whole numbers: scores are exact, so that what is left is the error of exp, measured 3e-7
    "scores far below zero": { B: 1, S: 12, T: 3, H: 1, K: 1, E: 8, whole: 1, offset: 9, tolerance: 1e-6 },
    "biases by distance, nearer and farther than the table": {
      B: 2,
      S: 11,
      T: 5,
      H: 3,
      K: 3,
      E: 8,
      packed: 1,
      bias: 4,
    },
    "tiles that straddle sentences, causal": { B: 5, S: 5, T: 5, H: 4, K: 2, E: 8, mixed: 1, packed: 1, causal: 1 },
    "status 0 writes nothing": { B: 1, S: 3, T: 2, H: 1, K: 1, E: 8, status: 0 },
    "one key": { B: 1, S: 1, T: 1, H: 1, K: 1, E: 4 },
    "heads of 8": { B: 2, S: 5, T: 3, H: 3, K: 3, E: 8 },
    "two heads a group": { B: 2, S: 7, T: 3, H: 4, K: 2, E: 8 },
    "keys behind values behind other columns": { B: 2, S: 7, T: 3, H: 4, K: 2, E: 8, pad: 12 },
    "causal, one key for the first row": { B: 2, S: 9, T: 9, H: 2, K: 2, E: 8, causal: 1 },
    "causal, past the end of the keys": { B: 1, S: 4, T: 9, H: 1, K: 1, E: 4, causal: 1 },
    "empty, single and full sentences": { B: 9, S: 7, T: 2, H: 2, K: 1, E: 8, mixed: 1 },
    "causal and ragged": { B: 5, S: 6, T: 6, H: 2, K: 2, E: 4, mixed: 1, causal: 1 },
    "one short of a workgroup": { B: 7, S: 3, T: 9, H: 1, K: 1, E: 8 },
    "one over a workgroup": { B: 5, S: 3, T: 13, H: 1, K: 1, E: 8 },
    "keys in f16, causal": { B: 2, S: 9, T: 9, H: 4, K: 2, E: 16, causal: 1, half: 1 },
    "keys in f16, three blocks": { B: 1, S: 150, T: 5, H: 2, K: 1, E: 20, half: 1 },
    "heads of 20": { B: 1, S: 9, T: 4, H: 2, K: 2, E: 20 },
    "eight rows of a sentence": { B: 1, S: 19, T: 8, H: 2, K: 1, E: 12, packed: 1 },
    "tiles of eight that straddle sentences": { B: 3, S: 17, T: 11, H: 2, K: 2, E: 16, mixed: 1, packed: 1 },
    "one short of eight": { B: 1, S: 8, T: 7, H: 1, K: 1, E: 4, packed: 1 },
    "one over eight": { B: 1, S: 7, T: 9, H: 1, K: 1, E: 4, packed: 1 },
    "one short of sixteen": { B: 1, S: 9, T: 15, H: 1, K: 1, E: 8, packed: 1 },
    "one over sixteen": { B: 1, S: 9, T: 17, H: 1, K: 1, E: 8, packed: 1 },
    "forty rows of a sentence": { B: 1, S: 45, T: 40, H: 2, K: 1, E: 8, packed: 1 },
    "seventy rows of a sentence of heads of 72, causal": {
      B: 1,
      S: 70,
      T: 70,
      H: 1,
      K: 1,
      E: 72,
      packed: 1,
      causal: 1,
    },
    "twenty rows of a sentence, one key over a tile": { B: 2, S: 33, T: 20, H: 1, K: 1, E: 100, packed: 1 },
    "forty rows of heads of 200": { B: 1, S: 35, T: 40, H: 1, K: 1, E: 200, packed: 1 },
    "one key short of a block": { B: 1, S: 63, T: 3, H: 1, K: 1, E: 8 },
    "a block that is causal in its middle": { B: 2, S: 71, T: 71, H: 1, K: 1, E: 8, packed: 1, causal: 1 },
    "4096 keys": { B: 1, S: 4096, T: 8, H: 1, K: 1, E: 8, packed: 1 },
    "causal biases": { B: 2, S: 9, T: 9, H: 2, K: 2, E: 8, packed: 1, causal: 1, bias: 3 },
    "biases, one query": { B: 3, S: 6, T: 1, H: 2, K: 1, E: 8, bias: 2 },
    "biases of a table of one": { B: 1, S: 3, T: 2, H: 1, K: 1, E: 8, bias: 0 },
    "heads of 64": { B: 2, S: 33, T: 3, H: 2, K: 2, E: 64 },
    "heads of 80": { B: 1, S: 6, T: 3, H: 2, K: 2, E: 80 },
    "heads of 128": { B: 1, S: 6, T: 2, H: 1, K: 1, E: 128 },
    "heads of 256": { B: 1, S: 6, T: 2, H: 1, K: 1, E: 256 },
    "one group": { B: 1, S: 7, T: 3, H: 6, K: 1, E: 20 },
    "scores far above zero": { B: 1, S: 12, T: 3, H: 1, K: 1, E: 64, whole: 1, pad: 4, tolerance: 1e-6 },
    "status 1 goes on": { B: 1, S: 3, T: 2, H: 1, K: 1, E: 8, status: 1 },
    ...Object.fromEntries(
      [1, 2, 3, 5, 6, 7, 10, 30, 37, 99, 100].map((E) => [
        `heads of ${E}`,
        { B: 3, S: 9, T: 5, H: 3, K: 1 + 2 * (E % 2), E, mixed: 1, packed: 1, causal: E % 2, bias: 3 },
      ]),
    ),
    "self attention of 3 heads of 30": { B: 3, S: 9, H: 3, K: 3, E: 30, self: 1 },
    "self attention of heads of 7, causal": { B: 2, S: 19, H: 2, K: 1, E: 7, self: 1, causal: 1 },
    "columns that are no whole fours": { B: 2, S: 7, T: 9, H: 4, K: 2, E: 8, pad: 5 },
    "eight rows of heads of 10, three blocks": { B: 1, S: 150, T: 8, H: 3, K: 1, E: 10, packed: 1 },
    "the widest head of odd width": { B: 1, S: 19, T: 2, H: 1, K: 1, E: 255 },
    "keys in any order, causal": { B: 3, S: 21, H: 4, K: 2, E: 8, self: 1, causal: 1, pooled: 1 },
    "keys in any order, three blocks of heads of 7": { B: 1, S: 150, T: 5, H: 2, K: 1, E: 7, pooled: 1, node: 1 },
    "keys that sentences share": { B: 3, S: 40, T: 17, H: 2, K: 1, E: 64, packed: 1, pooled: 1, shared: 33, node: 1 },
    "keys in any order in f16": { B: 2, S: 19, T: 19, H: 2, K: 1, E: 16, causal: 1, pooled: 1, half: 1, node: 1 },
    "padding between rows": { B: 3, S: 20, T: 20, H: 2, K: 1, E: 8, packed: 1, causal: 1, padding: 1 },
    "padding in slots": { B: 2, S: 19, H: 2, K: 2, E: 20, self: 1, causal: 1, padding: 1, pooled: 1, node: 1 },
    "rows past 65535": { B: 65537, S: 2, T: 1, H: 1, K: 1, E: 4, mixed: 1 },
  },
  mutants: {
    direct: {
      "keys that are neighbours": ["keys in any order, causal", (wgsl) => wgsl.replace("HAS_SLOTS == 0u", "true")],
      "padding that keeps what lay there": [
        "padding between rows",
        (wgsl) => wgsl.replace("rows[n + i].z == NO_ID", "false"),
      ],
      "a width of whole fours": [
        "heads of 6",
        (wgsl) => wgsl.replace("params.E / CHUNK", "params.E / 4u * 4u / CHUNK"),
      ],
      "rows of whole fours": [
        "columns that are no whole fours",
        (wgsl) => wgsl.replace("params.Q / CHUNK", "params.Q / 4u * 4u / CHUNK"),
      ],
      "a missing scale": ["causal, past the end of the keys", (wgsl) => wgsl.replaceAll(" * params.scale", "")],
      "a causal row that does not see itself": [
        "causal, past the end of the keys",
        (wgsl) => wgsl.replace("position[g] + 1u)", "position[g])"),
      ],
      "a causal row that reads past its keys": [
        "causal, past the end of the keys",
        (wgsl) => wgsl.replace("min(vec4u(span.y), position[g] + 1u)", "position[g] + 1u"),
      ],
      "sentences that all start at the first key": [
        "two heads a group",
        (wgsl) => wgsl.replace("let at = span.x + first + t", "let at = first + t"),
      ],
      "groups that alternate": [
        "two heads a group",
        (wgsl) => wgsl.replace("(h * params.K / params.H) * width", "(h % params.K) * width"),
      ],
      "keys of the tile's first sentence for all": [
        "two heads a group",
        (wgsl) => wgsl.replace("if (rows[n + r].z == sentence)", "if (true)"),
      ],
      "sentences that are left out": [
        "two heads a group",
        (wgsl) => wgsl.replace("least = sentence + 1u", "least = sentence + 2u"),
      ],
      "a total that does not decay": ["three blocks", (wgsl) => wgsl.replace("total[g] * before[g]", "total[g]")],
      "a sum that does not decay": ["three blocks", (wgsl) => wgsl.replace(" * before[r / 4u][r % 4u];", ";")],
      "a running maximum from zero": [
        "scores far below zero",
        (wgsl) => wgsl.replace("top[g] = vec4f(LOWEST)", "top[g] = vec4f()"),
      ],
      "heads written over each other": [
        "two heads a group",
        (wgsl) => wgsl.replace("let o = n * o_stride + h * width", "let o = n * o_stride"),
      ],
      "zero divided by zero": [
        "empty, single and full sentences",
        (wgsl) => wgsl.replace("select(vec4f(), 1.0 / sum, sum > vec4f())", "1.0 / sum"),
      ],
      "values that stay at the first row": [
        "causal, past the end of the keys",
        (wgsl) => wgsl.replace("let v = row_of(span.x + first + t)", "let v = row_of(span.x + first)"),
      ],
      "keys past the end that count": [
        "causal, past the end of the keys",
        (wgsl) => wgsl.replaceAll(/vec4u\((key|first \+ t)\) < limit/g, "vec4<bool>(true)"),
      ],
      "a last key that is left out": [
        "causal, past the end of the keys",
        (wgsl) => wgsl.replace("min(BLOCK, end - first)", "min(BLOCK, max(1u, end - first) - 1u)"),
      ],
      "a bias of the distance turned round": [
        "causal biases",
        (wgsl) => wgsl.replace("vec4i(i32(t)) - vec4i(position)", "vec4i(position) - vec4i(i32(t))"),
      ],
      "a bias past the table": [
        "biases of a table of one",
        (wgsl) => wgsl.replace(/clamp\((.*), -reach, reach\)/, "($1)"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
    shared: {
      "keys that are neighbours": ["keys in any order, causal", (wgsl) => wgsl.replace("HAS_SLOTS == 0u", "true")],
      "values that are neighbours": [
        "keys in any order, causal",
        (wgsl) => wgsl.replace("row = places[row];", "row += at;"),
      ],
      "a missing scale": ["one over sixteen", (wgsl) => wgsl.replace(" * params.scale", "")],
      "a causal row that does not see itself": [
        "causal, one key for the first row",
        (wgsl) => wgsl.replace("position + 1u", "position"),
      ],
      "groups that alternate": [
        "keys behind values behind other columns",
        (wgsl) => wgsl.replace("(h * params.K / params.H) * WIDTH", "(h % params.K) * WIDTH"),
      ],
      "rows that see the keys of another": [
        "causal, one key for the first row",
        (wgsl) =>
          wgsl.replace(
            "select(0u, visible(position[i], span.y), owner[i] == sentence)",
            "visible(position[i], span.y)",
          ),
      ],
      "sentences that are left out": [
        "causal, one key for the first row",
        (wgsl) => wgsl.replace("least = sentence + 1u", "least = sentence + 2u"),
      ],
      "a total that does not decay": ["one key short of a block", (wgsl) => wgsl.replace("total *= decay;", "")],
      "a sum that does not decay": ["one key short of a block", (wgsl) => wgsl.replace("sum[i][c] *= decay[i];", "")],
      "a maximum of one lane": [
        "scores far below zero",
        (wgsl) => wgsl.replace("next = max(next, highest[i][slot]);", ""),
      ],
      "a total of one lane": [
        "one over sixteen",
        (wgsl) => wgsl.replace("total += highest[i][slot]", "total = highest[i][slot]"),
      ],
      "a width of whole fours": [
        "heads of 6",
        (wgsl) => wgsl.replace("slice + c < WIDTH", "slice + c < WIDTH / 4u * 4u"),
      ],
      "one slice of eight chunks": ["heads of 64", (wgsl) => wgsl.replace("slice < params.E / CHUNK", "slice < SLICE")],
      "one part of the values": [
        "forty rows of heads of 200",
        (wgsl) => wgsl.replace("base < count; base +=", "base < 1u; base +="),
      ],
      "rows of the first eight for all": [
        "forty rows of a sentence",
        (wgsl) => wgsl.replace("tile[c][slot + 8u * i]", "tile[c][slot]"),
      ],
      "rows of whole fours": [
        "columns that are no whole fours",
        (wgsl) => wgsl.replace("params.Q / CHUNK", "params.Q / 4u * 4u / CHUNK"),
      ],
      "keys for values": ["one over sixteen", (wgsl) => wgsl.replace("params.v_at / CHUNK", "params.k_at / CHUNK")],
      "rows past the end that are written": [
        "one over sixteen",
        (wgsl) => wgsl.replace(" && n + slot + 8u * i < params.N", ""),
      ],
      "zero divided by zero": [
        "causal and ragged",
        (wgsl) => wgsl.replace("select(vec4f(), 1.0 / total, total > vec4f())", "1.0 / total"),
      ],
      "a bias of the distance turned round": [
        "biases, one query",
        (wgsl) => wgsl.replace("i32(t) - i32(position)", "i32(position) - i32(t)"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "groups that do not divide the heads": [
      { B: 1, S: 2, T: 2, H: 4, K: 3, E: 8 },
      () => {},
      /K must divide H, got K=3 and H=4/,
    ],
    "rows too short for their heads": [
      { B: 1, S: 2, T: 2, H: 2, K: 2, E: 8 },
      (args) => {
        args.kv = f32([2, 16], () => 0);
      },
      /rows of q and kv must hold their heads, got Q=16 and Z=16/,
    ],
    "spans of a wrong format": [
      { B: 1, S: 2, T: 2, H: 1, K: 1, E: 4 },
      (args) => {
        args.spans = f32([1, 2], () => 0);
      },
      /spans must be u32\[B,2\], got spans f32\[1,2\]/,
    ],
    "queries of other rows": [
      { B: 1, S: 2, T: 2, H: 1, K: 1, E: 4 },
      (args) => {
        args.q = f32([3, 4], () => 0);
      },
      /q must be f32\[N,Q\] with N=2, Q=4, got q f32\[3,4\]/,
    ],
    "biases without a middle": [
      { B: 1, S: 2, T: 2, H: 1, K: 1, E: 4, bias: 1 },
      (args) => {
        args.bias = f32([4, 1], () => 0);
      },
      /bias must have an odd number of distances, the middle one 0, got 4/,
    ],
    "keys that are missing": [
      { B: 1, S: 2, T: 2, H: 1, K: 1, E: 4 },
      (args) => {
        args.kv = undefined;
      },
      /kv must be f32\|f16\[S,Z\], got nothing/,
    ],
  },
});

const test = suite("relative biases");

// As T5Attention._relative_position_bucket(arange(-128, 129)) of Transformers gives them, by the first distance of each bucket.
test("buckets of distances in both directions", () => {
  const starts = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];
  for (let far = 0; far <= 200; far++) {
    const bucket = starts.filter((start) => start <= far).length;
    assert.is(relativeBucket(-far, 32, 128, true), bucket, `${far} before`);
    assert.is(relativeBucket(far, 32, 128, true), far ? bucket + 16 : 0, `${far} behind`);
  }
});

test("buckets of distances to the past", () => {
  const starts = [19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113];
  for (let far = 0; far <= 200; far++) {
    const bucket = far < 16 ? far : 16 + starts.filter((start) => start <= far).length;
    assert.is(relativeBucket(-far, 32, 128, false), bucket, `${far} before`);
    assert.is(relativeBucket(far, 32, 128, false), 0, `${far} behind`);
  }
});

test("a table of biases by distance", () => {
  const weight = Array.from({ length: 2 * 32 }, (_, i) => i);
  const table = relativeBias(weight, 2, 128, true);
  assert.is(table.length, 2 * 257);
  assert.equal([...table.subarray(0, 2)], [30, 31], "far before");
  assert.equal([...table.subarray(256, 260)], [0, 1, 34, 35], "at its middle, and one behind");
  assert.equal([...table.subarray(-2)], [62, 63], "far behind");
});
