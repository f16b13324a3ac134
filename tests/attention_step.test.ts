import { attentionStep } from "../src/kernels/index.js";
import { args, values } from "./attention_step.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(attentionStep, {
  args,
  values,
  tolerance: 5e-7, // measured 1e-7
  cases: {
    "biases by distance, nearer and farther than the table": {
      B: 3,
      W: 2,
      M: 12,
      H: 3,
      K: 1,
      E: 20,
      position: 9,
      bias: 4,
    },
    "rotary, norms": { B: 2, W: 2, M: 6, H: 4, K: 2, E: 8, position: 3, rotary: 1, norms: 1 },
    "status 0 writes nothing": { B: 1, M: 4, H: 1, K: 1, E: 8, position: 2, status: 0 },
    // whole numbers: scores are exact, so that what is left is the error of exp, measured 3e-7
    "scores far from zero": { B: 2, W: 2, M: 9, H: 1, K: 1, E: 64, position: 7, whole: 1, tolerance: 1e-6 },
    "scores far below zero": { B: 1, W: 2, M: 9, H: 1, K: 1, E: 8, position: 7, whole: 1, offset: 9, tolerance: 1e-6 },
    "a first token in a cache of one": { B: 1, M: 1, H: 1, K: 1, E: 4, position: 0 },
    "an even position": { B: 1, W: 4, M: 9, H: 2, K: 2, E: 8, position: 4 },
    "an odd position": { B: 1, W: 4, M: 9, H: 2, K: 2, E: 8, position: 5 },
    "sentences of different lengths": { B: 5, W: 2, M: 7, H: 2, K: 2, E: 4, position: 3 },
    "two heads a group": { B: 2, W: 2, M: 6, H: 4, K: 2, E: 8, position: 3 },
    "one short of a workgroup": { B: 21, W: 3, M: 4, H: 1, K: 1, E: 8, position: 2 },
    "one over a workgroup": { B: 13, W: 5, M: 4, H: 1, K: 1, E: 8, position: 2 },
    rotary: { B: 2, W: 2, M: 6, H: 4, K: 2, E: 16, position: 3, rotary: 1 },
    "rotary, interleaved": { B: 2, W: 2, M: 6, H: 4, K: 2, E: 16, position: 4, rotary: 1, interleaved: 1 },
    "biases of a table of one": { B: 1, M: 5, H: 1, K: 1, E: 4, position: 3, bias: 0 },
    "biases, norms": { B: 1, W: 2, M: 5, H: 4, K: 2, E: 8, position: 3, bias: 2, norms: 1 },
    "one short of a block of 256": { B: 1, W: 2, M: 300, H: 1, K: 1, E: 8, position: 255 },
    "one over a block of 256": { B: 1, W: 2, M: 300, H: 2, K: 1, E: 20, position: 257 },
    "a long past": { B: 1, M: 1100, H: 2, K: 1, E: 16, position: 1050, rotary: 1 },
    "a full cache": { B: 1, W: 3, M: 6, H: 1, K: 1, E: 8, position: 5 },
    "heads of 20": { B: 2, W: 2, M: 5, H: 2, K: 2, E: 20, position: 3 },
    "heads of 64": { B: 2, W: 4, M: 33, H: 2, K: 2, E: 64, position: 31 },
    "heads of 80": { B: 1, W: 2, M: 5, H: 2, K: 2, E: 80, position: 3 },
    "heads of 128": { B: 1, W: 2, M: 5, H: 1, K: 1, E: 128, position: 3 },
    "heads of 256": { B: 1, W: 2, M: 5, H: 1, K: 1, E: 256, position: 3 },
    "a part of one key": { B: 1, W: 2, M: 130, H: 2, K: 1, E: 64, position: 64, split: 1, tolerance: 2e-6 },
    "parts, the last with the new key alone": {
      B: 1,
      W: 2,
      M: 140,
      H: 4,
      K: 2,
      E: 80,
      position: 128,
      split: 1,
      tolerance: 2e-6,
      rotary: 1,
    },
    "parts of sentences of different lengths": {
      B: 40,
      M: 129,
      H: 2,
      K: 1,
      E: 20,
      position: 5,
      split: 1,
      tolerance: 2e-6,
      bias: 3,
    },
    "parts of heads of 10": {
      B: 2,
      W: 2,
      M: 200,
      H: 2,
      K: 2,
      E: 10,
      position: 190,
      split: 1,
      tolerance: 2e-6,
      rotary: 1,
      norms: 1,
    },
    "parts of heads of 1": { B: 2, W: 2, M: 130, H: 4, K: 2, E: 1, position: 107, norms: 1, split: 1, tolerance: 2e-6 },
    "more parts than workgroups": { B: 1, M: 4230, H: 2, K: 1, E: 8, position: 4225, split: 1, tolerance: 2e-6 },
    "parts, status 0 writes nothing": { B: 1, M: 70, H: 1, K: 1, E: 8, position: 65, split: 1, status: 0 },
    "a cache in f16": { B: 2, W: 2, M: 70, H: 4, K: 2, E: 16, position: 65, rotary: 1, norms: 1, half: 1 },
    "a cache in f16, in parts": {
      B: 2,
      W: 2,
      M: 140,
      H: 2,
      K: 1,
      E: 20,
      position: 131,
      split: 1,
      tolerance: 2e-6,
      half: 1,
    },
    "a cache in f16, heads of 128": { B: 1, M: 9, H: 2, K: 1, E: 128, position: 7, half: 1 },
    "a past that all rows share": { B: 2, W: 3, M: 12, H: 4, K: 2, E: 8, position: 8, shared: 7, rotary: 1 },
    "a shared past in f16, in parts": {
      B: 2,
      W: 2,
      M: 140,
      H: 2,
      K: 1,
      E: 16,
      position: 133,
      shared: 130,
      split: 1,
      tolerance: 2e-6,
      half: 1,
      node: 1,
    },
    "idle rows": { B: 7, M: 9, H: 3, K: 1, E: 8, position: 4, idle: 1 },
    "idle beams, with a cache in f16": { B: 2, W: 4, M: 9, H: 2, K: 2, E: 16, position: 5, idle: 1, half: 1, node: 1 },
    "idle rows, in parts": { B: 5, M: 140, H: 2, K: 1, E: 10, position: 131, idle: 1, split: 1, tolerance: 2e-6 },
    "one group": { B: 2, W: 2, M: 6, H: 6, K: 1, E: 20, position: 4 },
    "status 1 goes on": { B: 1, M: 4, H: 1, K: 1, E: 8, position: 2, status: 1 },
    ...Object.fromEntries(
      [1, 3, 5, 7, 10, 37, 99].map((E) => [
        `heads of ${E}, biases, norms`,
        { B: 2, W: 2, M: 7, H: 3, K: 1 + 2 * (E % 2), E, position: 3, bias: 2, norms: 1 },
      ]),
    ),
    ...Object.fromEntries(
      [2, 6, 10, 12, 20, 30, 100].flatMap((E) =>
        [0, 1].map((interleaved) => [
          `heads of ${E}, rotated${interleaved ? ", interleaved" : ""}`,
          { B: 2, W: 2, M: 7, H: 4, K: 2, E, position: 3, rotary: 1, norms: 1, interleaved },
        ]),
      ),
    ),
    "rows past 65535": { B: 65537, M: 2, H: 1, K: 1, E: 4, position: 1 },
  },
  mutants: {
    direct: {
      "idle rows that store": ["idle rows", (wgsl) => wgsl.replace("    return;\n  }\n", "  }\n")],
      "idle rows that keep what lay there": [
        "idle rows",
        (wgsl) => wgsl.replace("out[index * WIDTH + e] = Chunk();", ""),
      ],
      "sums of idle rows": ["idle rows, in parts", (wgsl) => wgsl.replace("(1u - SPLIT) * params.E", "params.E")],
      "a width of whole fours": [
        "heads of 10, biases, norms",
        (wgsl) => wgsl.replaceAll("params.E / CHUNK", "params.E / 4u * 4u / CHUNK"),
      ],
      "pairs of the other layout": [
        "heads of 6, rotated, interleaved",
        (wgsl) => wgsl.replace("e ^ 1u", "(e + WIDTH / 2u) % WIDTH"),
      ],
      "the table of the other parity": [
        "an odd position",
        (wgsl) => wgsl.replace("(position & 1u)", "((position + 1u) & 1u)"),
      ],
      "a past that ignores the indirection": [
        "an odd position",
        (wgsl) => wgsl.replace("vec4u(indirection[table + at.x]", "vec4u(r * params.M + at.x"),
      ],
      "a missing scale": ["status 1 goes on", (wgsl) => wgsl.replace("position) * params.scale", "position)")],
      "halves rotated alike": ["rotary", (wgsl) => wgsl.replace("select(other, -other, lower)", "other")],
      "a norm of the sum of squares": [
        "rotary, norms",
        (wgsl) => wgsl.replace("squares / f32(CHUNK * WIDTH)", "squares"),
      ],
      "groups that alternate": [
        "rotary",
        (wgsl) => wgsl.replace("let head = (h * params.K / params.H)", "let head = (h % params.K)"),
      ],
      "only the first group stored": [
        "an odd position",
        (wgsl) => wgsl.replace("h * params.K % params.H == 0u", "h == 0u"),
      ],
      "a token stored one slot late": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("indirection[table + position]", "(indirection[table + position] + 1u)"),
      ],
      "heads written over each other": [
        "an odd position",
        (wgsl) => wgsl.replace("select(index * WIDTH,", "select(r * WIDTH,"),
      ],
      "a bias past the table": ["biases of a table of one", (wgsl) => wgsl.replace("min(back, DISTANCE)", "back")],
      "a bias of the new token left out": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("var own_score = bias_of(0u, h)", "var own_score = 0.0"),
      ],
      "parts of which all have the new token": [
        "a part of one key",
        (wgsl) => wgsl.replace("let last = part + 1u == parts;", "let last = true;"),
      ],
      "parts that are left out": [
        "more parts than workgroups",
        (wgsl) => wgsl.replace("part += workgroups", "part += 64u * workgroups"),
      ],
      "parts over each other": [
        "a part of one key",
        (wgsl) => wgsl.replace("part_at(index, part)", "part_at(index, 0u)"),
      ],
      "halves that change places": [
        "a cache in f16",
        (wgsl) => wgsl.replace("halves(v.xy), halves(v.zw)", "halves(v.zw), halves(v.xy)"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
      "a past that is one token short": [
        "an odd position",
        (wgsl) => wgsl.replace("t < end; t += 4u", "t + 1u < end; t += 4u"),
      ],
      "keys past the end that count": ["status 1 goes on", (wgsl) => wgsl.replace("<= vec4u(rest)", "<= vec4u(3u)")],
      "a new token that is not seen": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("var total = f32(last);", "var total = 0.0;"),
      ],
      "a maximum that stays at the new token": [
        "scores far below zero",
        (wgsl) =>
          wgsl
            .replace("let next = max(max(top,", "let next = top; //")
            .replace(" max(score.x, score.y)), max(score.z, score.w));", ""),
      ],
      "a sum that does not decay": ["an even position", (wgsl) => wgsl.replace("sum[e] * decay", "sum[e]")],
    },
    shared: {
      "idle rows that store": ["idle rows", (wgsl) => wgsl.replace("    return;\n  }\n", "  }\n")],
      "idle rows that keep what lay there": [
        "idle rows",
        (wgsl) => wgsl.replace("out[index * WIDTH + lane] = Chunk();", ""),
      ],
      "sums of idle rows": [
        "idle rows, in parts",
        (wgsl) =>
          wgsl.replace(
            "SPLIT == 0u && lane < WIDTH) { out[index * WIDTH + lane]",
            "lane < WIDTH) { out[index * WIDTH + lane]",
          ),
      ],
      "a width of whole fours": [
        "heads of 10, biases, norms",
        (wgsl) => wgsl.replaceAll("params.E / CHUNK", "params.E / 4u * 4u / CHUNK"),
      ],
      "the table of the other parity": [
        "scores far below zero",
        (wgsl) => wgsl.replace("(position & 1u)", "((position + 1u) & 1u)"),
      ],
      "a past that ignores the indirection": [
        "scores far below zero",
        (wgsl) => wgsl.replace("indirection[table + t]", "(r * params.M + t)"),
      ],
      "a missing scale": ["biases of a table of one", (wgsl) => wgsl.replace("position) * params.scale", "position)")],
      "halves rotated alike": ["rotary, norms", (wgsl) => wgsl.replace("select(other, -other, lower)", "other")],
      "a norm of the sum of squares": [
        "rotary, norms",
        (wgsl) => wgsl.replace("squares / f32(CHUNK * WIDTH)", "squares"),
      ],
      "groups that alternate": [
        "rotary, norms",
        (wgsl) => wgsl.replace("let head = (h * params.K / params.H)", "let head = (h % params.K)"),
      ],
      "only the first group stored": [
        "rotary, norms",
        (wgsl) => wgsl.replace("h * params.K % params.H == 0u", "h == 0u"),
      ],
      "a token stored one slot late": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("indirection[table + position]", "(indirection[table + position] + 1u)"),
      ],
      "heads written over each other": [
        "rotary, norms",
        (wgsl) => wgsl.replace("out[index * WIDTH + e]", "out[r * WIDTH + e]"),
      ],
      "a bias past the table": ["biases of a table of one", (wgsl) => wgsl.replace("min(back, DISTANCE)", "back")],
      "a bias of the new token left out": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("own_score = bias_of(0u, h)", "own_score = 0.0"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
      "a past that is one token short": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("min(LANES, position - first)", "min(LANES, position - 1u - first)"),
      ],
      "a new token that is not seen": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("let p = exp(own_score - here.top);", "let p = 0.0;"),
      ],
      "splits that all count the new token": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("part + 1u == parts && split == 0u", "part + 1u == parts"),
      ],
      "a maximum that stays at the new token": [
        "scores far below zero",
        (wgsl) => wgsl.replace("here.top = max(here.top, scores[i]);", ""),
      ],
      "a sum that does not decay": ["one over a block of 256", (wgsl) => wgsl.replace("a.sum * u", "a.sum")],
      "a total that does not decay": ["one over a block of 256", (wgsl) => wgsl.replace("a.total * u", "a.total")],
      "splits that are not added up": [
        "biases of a table of one",
        (wgsl) => wgsl.replace("here.sum += sums[i * WIDTH + e];", ""),
      ],
      "keys past the end that count": [
        "heads of 64",
        (wgsl) =>
          wgsl
            .replace("select(0.0, exp(score - here.top), lane < count)", "exp(score - here.top)")
            .replace(
              "select(LOWEST, bias_of(position - t, h) + score_of(past), lane < count)",
              "bias_of(position - t, h) + score_of(past)",
            ),
      ],
      "parts that are left out": [
        "more parts than workgroups",
        (wgsl) => wgsl.replace("part += workgroups", "part += 64u * workgroups"),
      ],
      "parts over each other": [
        "a part of one key",
        (wgsl) => wgsl.replace("part_at(index, part)", "part_at(index, 0u)"),
      ],
      "a new token stored by no part": [
        "parts, the last with the new key alone",
        (wgsl) => wgsl.replace("(parts - 1u) % workgroups == begin", "begin == 0u"),
      ],
      "halves in a word that change places": [
        "a cache in f16",
        (wgsl) => wgsl.replace("pack2x16float(v)", "pack2x16float(v.yx)"),
      ],
    },
  },
  refused: {
    "groups that do not divide the heads": [
      { B: 1, M: 2, H: 4, K: 3, E: 8, position: 0 },
      () => {},
      /K must divide H, got K=3 and H=4/,
    ],
    "a cache in f16 of heads that are no whole fours": [
      { B: 1, M: 2, H: 1, K: 1, E: 6, position: 0, half: 1 },
      () => {},
      /E must be a multiple of 4 with a cache in f16, got 6/,
    ],
    "a cache in f16 of rotated heads whose halves are no whole fours": [
      { B: 1, M: 2, H: 1, K: 1, E: 12, position: 0, half: 1, rotary: 1 },
      () => {},
      /E must be a multiple of 8 with a cache in f16, got 12/,
    ],
    "slots of another width": [
      { B: 1, M: 2, H: 1, K: 1, E: 4, position: 0 },
      (args) => {
        args.cache = f32([2, 6], () => 0);
      },
      /cache must be f32\|f16\[Z,2\*K\*E\] with Z=2, K=1, E=4, got cache f32\[2,6\]/,
    ],
    "queries without keys and values": [
      { B: 1, M: 2, H: 1, K: 1, E: 4, position: 0 },
      (args) => {
        args.qkv = f32([1, 4], () => 0);
      },
      /qkv must be f32\[R,H\*E\+2\*K\*E\] with R=1, H=1, E=4, K=1, got qkv f32\[1,4\]/,
    ],
    "rotations of another cache": [
      { B: 1, M: 2, H: 1, K: 1, E: 8, position: 0, rotary: 1 },
      (args) => {
        args.positional = f32([3, 8], () => 0);
      },
      /rotations must be \[M,E\] = \[2,8\], got \[3,8\]/,
    ],
    "rotations of an odd width": [
      { B: 1, M: 2, H: 1, K: 1, E: 7, position: 0, rotary: 1 },
      () => {},
      /E must be even to rotate, got 7/,
    ],
    "biases of other heads": [
      { B: 1, M: 2, H: 2, K: 1, E: 4, position: 0, bias: 1 },
      (args) => {
        args.positional = f32([3, 1], () => 0);
      },
      /biases must be \[distances,H\], an odd number and 2, got \[3,1\]/,
    ],
    "an indirection that is missing": [
      { B: 1, M: 2, H: 1, K: 1, E: 4, position: 0 },
      (args) => {
        args.indirection = undefined;
      },
      /indirection must be u32\[R,3,M\], got nothing/,
    ],
  },
});
