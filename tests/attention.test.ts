import { attention } from "../src/kernels/index.js";
import { checkKernel, f32, u32 } from "./kernel.js";

type Size = Readonly<Record<string, number>>;

/** Keys of each sentence: L, or a mixture of full, empty, single and almost full. */
const lengths = ({ B, L, ragged = 0 }: Size): number[] =>
  Array.from({ length: B }, (_, b) => (ragged ? [L, 0, 1, L - 1][b % 4] : L));

/** Sentences lie in kv from the last to the first, so that a sentence's number says nothing about its place. */
function spans(size: Size): number[] {
  let first = lengths(size).reduce((sum, length) => sum + length, 0);
  return lengths(size).flatMap((length) => [(first -= length), length]);
}

checkKernel(attention, {
  // row n is position n / B of sentence n % B; `pad` columns lie before the values, and these before the keys
  args: (size, random) => {
    const { B, T, H, K, E, pad = 0, whole = 0, offset = 0, status } = size;
    const value = whole ? () => Math.round(6 * random()) + offset : random;
    const S = Math.max(1, lengths(size).reduce((sum, length) => sum + length, 0));
    const [Q, Z] = [H * E + pad, 2 * K * E + pad];
    const places = spans(size);
    return {
      rows: u32([B * T, 4], (i) => [5, Math.floor(i / 4 / B), (i >> 2) % B, 6][i % 4]),
      spans: u32([B, 2], (i) => places[i]),
      q: f32([B * T, Q], value),
      kv: f32([S, Z], (i) => (whole && i % Z < K * E ? -value() : random())),
      status: status === undefined ? undefined : u32([2], () => status),
    };
  },
  values: ({ H, K, E, pad = 0, causal = 0, whole = 0 }) => ({
    H, K, E, scale: whole ? 1 : E ** -0.5, k_at: pad ? pad + K * E : 0, v_at: pad || K * E, CAUSAL: causal,
  }),
  tolerance: 5e-7, // measured 1e-7
  cases: {
    "one key": { B: 1, L: 1, T: 1, H: 1, K: 1, E: 4 },
    "heads of 8": { B: 2, L: 5, T: 3, H: 3, K: 3, E: 8 },
    "two heads a group": { B: 2, L: 7, T: 3, H: 4, K: 2, E: 8 },
    "keys behind values behind other columns": { B: 2, L: 7, T: 3, H: 4, K: 2, E: 8, pad: 12 },
    "causal, one key for the first row": { B: 2, L: 9, T: 9, H: 2, K: 2, E: 8, causal: 1 },
    "causal, past the end of the keys": { B: 1, L: 4, T: 9, H: 1, K: 1, E: 4, causal: 1 },
    "empty, single and full sentences": { B: 9, L: 7, T: 2, H: 2, K: 1, E: 8, ragged: 1 },
    "causal and ragged": { B: 5, L: 6, T: 6, H: 2, K: 2, E: 4, ragged: 1, causal: 1 },
    "one short of a workgroup": { B: 7, L: 3, T: 9, H: 1, K: 1, E: 8 },
    "one over a workgroup": { B: 5, L: 3, T: 13, H: 1, K: 1, E: 8 },
    // whole numbers: scores are exact, so that what is left is the error of exp, measured 3e-7
    "scores far below zero": { B: 1, L: 12, T: 3, H: 1, K: 1, E: 8, whole: 1, offset: 9, tolerance: 1e-6 },
    "heads of 20": { B: 1, L: 9, T: 4, H: 2, K: 2, E: 20 },
    "heads of 64": { B: 2, L: 33, T: 3, H: 2, K: 2, E: 64 },
    "heads of 80": { B: 1, L: 6, T: 3, H: 2, K: 2, E: 80 },
    "heads of 128": { B: 1, L: 6, T: 2, H: 1, K: 1, E: 128 },
    "heads of 256": { B: 1, L: 6, T: 2, H: 1, K: 1, E: 256 },
    "one group": { B: 1, L: 7, T: 3, H: 6, K: 1, E: 20 },
    "scores far above zero": { B: 1, L: 12, T: 3, H: 1, K: 1, E: 64, whole: 1, pad: 4, tolerance: 1e-6 },
    "status 1 goes on": { B: 1, L: 3, T: 2, H: 1, K: 1, E: 8, status: 1 },
    "status 0 writes nothing": { B: 1, L: 3, T: 2, H: 1, K: 1, E: 8, status: 0 },
    "rows past 65535": { B: 65537, L: 2, T: 1, H: 1, K: 1, E: 4, ragged: 1 },
  },
  mutants: {
    "a missing scale": (wgsl) => wgsl.replace("+ e] * params.scale", "+ e]"),
    "a causal row that does not see itself": (wgsl) => wgsl.replace("min(span.y, row.y + 1u)", "min(span.y, row.y)"),
    "a causal row that reads past its keys": (wgsl) => wgsl.replace("min(span.y, row.y + 1u)", "row.y + 1u"),
    "sentences that all start at the first key": (wgsl) => wgsl.replace("span.x * stride", "0u * stride"),
    "groups that alternate": (wgsl) => wgsl.replace("(h * params.K / params.H) * WIDTH", "(h % params.K) * WIDTH"),
    "a total that does not decay": (wgsl) => wgsl.replace("total * decay + p", "total + p"),
    "a running maximum from zero": (wgsl) => wgsl.replace("var top = -3.0e38;", "var top = 0.0;"),
    "no maximum": (wgsl) =>
      wgsl.replace("let next = max(top, score);", "let next = 0.0;").replace("var top = -3.0e38;", "var top = 0.0;"),
    "heads written over each other": (wgsl) => wgsl.replace("out[index * WIDTH + e]", "out[n * WIDTH + e]"),
    "zero divided by zero": (wgsl) => wgsl.replace("select(0.0, 1.0 / total, total > 0.0)", "1.0 / total"),
    "values that stay at the first row": (wgsl) => wgsl.replace("    v_at += stride;\n", ""),
    "a stop that is not heeded": (wgsl) => wgsl.replace("status[0] == 0u", "status[0] == 7u"),
  },
  refused: {
    "groups that do not divide the heads": [{ B: 1, L: 2, T: 2, H: 4, K: 3, E: 8 }, () => {},
      /K must divide H, got K=3 and H=4/],
    "a width that is no multiple of 4": [{ B: 1, L: 2, T: 2, H: 1, K: 1, E: 6 }, () => {},
      /must be multiples of 4, got 6,6,12,0,6/],
    "rows too short for their heads": [{ B: 1, L: 2, T: 2, H: 2, K: 2, E: 8 },
      (args) => { args.kv = f32([2, 16], () => 0); },
      /rows of q and kv must hold their heads, got Q=16 and Z=16/],
    "spans of a wrong format": [{ B: 1, L: 2, T: 2, H: 1, K: 1, E: 4 },
      (args) => { args.spans = f32([1, 2], () => 0); },
      /spans must be u32\[B,2\], got spans f32\[1,2\]/],
    "queries of other rows": [{ B: 1, L: 2, T: 2, H: 1, K: 1, E: 4 }, (args) => { args.q = f32([3, 4], () => 0); },
      /q must be f32\[N,Q\] with N=2, Q=4, got q f32\[3,4\]/],
    "keys that are missing": [{ B: 1, L: 2, T: 2, H: 1, K: 1, E: 4 }, (args) => { args.kv = undefined; },
      /kv must be f32\[S,Z\], got nothing/],
  },
});
