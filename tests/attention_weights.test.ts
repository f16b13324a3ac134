import { attentionWeights } from "../src/kernels/index.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(attentionWeights, {
  // sentence b has b % L + 1 keys and as many queries; `empty` leaves it none to see
  args: ({ B, L, H, K, E, T, gain = 1, empty = 0 }, random) => {
    const owners = Array.from({ length: B }, (_, b) => Array.from({ length: (b % L) + 1 }, () => b)).flat();
    const N = owners.length;
    return {
      rows: u32([N, 4], (i) => [9, 9, owners[i >> 2], 9][i % 4]),
      spans: u32([B, 2], (i) => (i % 2 ? (empty ? 0 : ((i >> 1) % L) + 1) : owners.indexOf(i >> 1))),
      q: f32([N, H * E + 4], () => gain * random()),
      kv: f32([N, 4 + K * E], () => gain * random()),
      weights: f32([N, H, T], () => 7),
    };
  },
  values: ({ H, K, E, T }) => ({ H, K, E, T, k_at: 4, scale: E ** -0.5 }),
  tolerance: 1e-6, // measured 3e-7
  cases: {
    "one key": { B: 1, L: 1, H: 1, K: 1, E: 4, T: 1 },
    "grouped heads, zeros beyond the keys": { B: 5, L: 4, H: 4, K: 2, E: 8, T: 6 },
    "one short of a workgroup": { B: 9, L: 7, H: 1, K: 1, E: 4, T: 7 },
    "large scores": { B: 4, L: 9, H: 2, K: 2, E: 32, T: 9, gain: 20, tolerance: 2e-5 }, // measured 4e-6
    "no key to see": { B: 2, L: 2, H: 2, K: 1, E: 8, T: 3, empty: 1 },
    "launches past 65535 rows": { B: 65539, L: 1, H: 1, K: 1, E: 4, T: 1 },
  },
  mutants: {
    direct: {
      "a forgotten scale": (wgsl) => wgsl.replace("score *= params.scale;", ""),
      "sentences that all start at the first key": (wgsl) => wgsl.replace("span.x * stride", "0u * stride"),
      "groups that alternate": (wgsl) => wgsl.replace("(h * params.K / params.H) * width", "(h % params.K) * width"),
      "no maximum": (wgsl) => wgsl.replace("exp(weights[out + t] - top)", "exp(weights[out + t])"),
      "weights that do not sum to one": (wgsl) => wgsl.replace("/= total", "/= 2.0"),
      "what lay there beyond the keys": (wgsl) => wgsl.replace("weights[out + t] = 0.0;", ""),
    },
  },
  refused: {
    "groups that do not divide the heads": [
      { B: 1, L: 1, H: 4, K: 3, E: 4, T: 1 },
      () => {},
      /K must divide H, got K=3 and H=4/,
    ],
    "a width that is no multiple of 4": [
      { B: 1, L: 1, H: 1, K: 1, E: 6, T: 1 },
      () => {},
      /must be multiples of 4, got 6,10,10,4/,
    ],
    "rows too short for their heads": [
      { B: 1, L: 1, H: 2, K: 2, E: 8, T: 1 },
      (args) => {
        args.kv = f32([1, 16], () => 0);
      },
      /rows of q and kv must hold their heads, got Q=20 and Z=16/,
    ],
  },
});
