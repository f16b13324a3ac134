import { attentionWeights } from "../src/kernels/index.js";
import { args, values } from "./attention_weights.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(attentionWeights, {
  args,
  values,
  tolerance: 1e-6, // measured 3e-7
  cases: {
    "one key": { B: 1, S: 1, H: 1, K: 1, E: 4, T: 1 },
    "grouped heads, zeros beyond the keys": { B: 5, S: 4, H: 4, K: 2, E: 8, T: 6 },
    "keys in f16": { B: 5, S: 4, H: 4, K: 2, E: 8, T: 6, half: 1 },
    "one short of a workgroup": { B: 9, S: 7, H: 1, K: 1, E: 4, T: 7 },
    "large scores": { B: 4, S: 9, H: 2, K: 2, E: 32, T: 9, gain: 20, tolerance: 2e-5 }, // measured 4e-6
    ...Object.fromEntries(
      [1, 2, 3, 5, 6, 7, 10, 30, 37, 99, 100].map((E) => [
        `heads of ${E}`,
        { B: 3, S: 5, H: 3, K: 1 + 2 * (E % 2), E, T: 6, self: E % 3 ? 1 : 0 },
      ]),
    ),
    "columns that are no whole fours": { B: 3, S: 5, H: 2, K: 2, E: 8, T: 5, pad: 5 },
    "biases by distance": { B: 4, S: 9, H: 2, K: 2, E: 8, T: 9, bias: 3 },
    "a bias of one distance": { B: 2, S: 3, H: 2, K: 1, E: 6, T: 4, bias: 0 },
    "the last heads alone": { B: 5, S: 4, H: 6, K: 3, E: 8, T: 6, chosen: 2 },
    "keys up to each query": { B: 2, S: 9, H: 2, K: 2, E: 8, T: 9, self: 1, causal: 1 },
    "no key to see": { B: 2, S: 2, H: 2, K: 1, E: 8, T: 3, empty: 1 },
    "keys in any order": { B: 4, S: 9, H: 4, K: 2, E: 8, T: 9, pooled: 1 },
    "keys in any order in f16": { B: 4, S: 9, H: 2, K: 1, E: 8, T: 9, pooled: 1, half: 1, node: 1 },
    "padding between rows": { B: 4, S: 9, H: 2, K: 2, E: 8, T: 9, self: 1, causal: 1, padding: 1 },
    "launches past 65535 rows": { B: 65539, S: 1, H: 1, K: 1, E: 4, T: 1 },
  },
  mutants: {
    direct: {
      "a width of whole fours": [
        "heads of 6",
        (wgsl) => wgsl.replace("params.E / CHUNK", "params.E / 4u * 4u / CHUNK"),
      ],
      "rows of whole fours": [
        "columns that are no whole fours",
        (wgsl) => wgsl.replace("params.Z / CHUNK", "params.Z / 4u * 4u / CHUNK"),
      ],
      "a forgotten scale": [
        "grouped heads, zeros beyond the keys",
        (wgsl) => wgsl.replace("score * params.scale", "score"),
      ],
      "sentences that all start at the first key": [
        "grouped heads, zeros beyond the keys",
        (wgsl) => wgsl.replace("row_of(span.x + t)", "row_of(t)"),
      ],
      "keys that are neighbours": ["keys in any order", (wgsl) => wgsl.replace("HAS_SLOTS == 0u", "true")],
      "padding that sees keys": [
        "padding between rows",
        (wgsl) => wgsl.replace("row.z != NO_ID) { span = spans[row.z]", "true) { span = spans[row.z % 4u]"),
      ],
      "groups that alternate": [
        "grouped heads, zeros beyond the keys",
        (wgsl) => wgsl.replace("(h * params.K / params.H) * width", "(h % params.K) * width"),
      ],
      "a forgotten bias": ["biases by distance", (wgsl) => wgsl.replace("bias_of(t, row.y, h)", "0.0")],
      "distances from the first key": ["biases by distance", (wgsl) => wgsl.replace("row.y, h", "0u, h")],
      "the first heads instead of those chosen": [
        "the last heads alone",
        (wgsl) => wgsl.replace("h = min(heads[h], params.H - 1u);", ""),
      ],
      "keys after the query": [
        "keys up to each query",
        (wgsl) => wgsl.replace("visible = min(visible, row.y + 1u);", ""),
      ],
      "no maximum": ["large scores", (wgsl) => wgsl.replace("exp(weights[out + t] - top)", "exp(weights[out + t])")],
      "weights that do not sum to one": ["one key", (wgsl) => wgsl.replace("/= total", "/= 2.0")],
      "what lay there beyond the keys": ["no key to see", (wgsl) => wgsl.replace("weights[out + t] = 0.0;", "")],
    },
  },
  refused: {
    "fewer heads without a list of them": [
      { B: 1, S: 1, H: 4, K: 4, E: 4, T: 1, chosen: 2 },
      (args) => {
        args.heads = undefined;
      },
      /weights must have all 4 heads without a list of heads, got 2/,
    ],
    "groups that do not divide the heads": [
      { B: 1, S: 1, H: 4, K: 3, E: 4, T: 1 },
      () => {},
      /K must divide H, got K=3 and H=4/,
    ],
    "rows too short for their heads": [
      { B: 1, S: 1, H: 2, K: 2, E: 8, T: 1 },
      (args) => {
        args.kv = f32([1, 16], () => 0);
      },
      /rows of q and kv must hold their heads, got Q=20 and Z=16/,
    ],
  },
});
