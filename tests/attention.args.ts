import { NO_ID } from "../src/kernels/constants.js";
import { f16, f32, shuffled, statusOf, u32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Keys of each of B sentences: S, or a mixture of S, none, one and S - 1, or from S / 8 to S * 15 / 8. */
const lengthsOf = ({ B, S, mixed = 0, spread = 0 }: Size): number[] =>
  Array.from({ length: B }, (_, b) => {
    if (spread) return Math.round((S * (1 + (14 * b) / (B - 1))) / 8);
    return mixed ? [S, 0, 1, S - 1][b % 4] : S;
  });

/** Sentences lie in kv from the last to the first, so that a sentence's number says nothing about its place. */
function spansOf(lengths: readonly number[]): number[][] {
  let first = lengths.reduce((sum, length) => sum + length, 0);
  return lengths.map((length) => [(first -= length), length]);
}

/** T queries a sentence, or as many as its keys in self attention; one sentence after another when packed, else position by position. */
function rowsOf({ B, T, self = 0, packed = 0 }: Size, lengths: readonly number[]): number[][] {
  if (self) return lengths.flatMap((length, b) => Array.from({ length }, (_, t) => [5, t, b, 6]));
  const place = (n: number): number[] => (packed ? [n % T, Math.floor(n / T)] : [Math.floor(n / B), n % B]);
  return Array.from({ length: B * T }, (_, n) => [5, ...place(n), 6]);
}

/**
 * Arguments of `attention`, for tests and benches. In self attention queries, keys and values lie in one row; else values lie behind keys,
 * or with `pad` columns that are nobody's, keys behind values behind these. `whole` numbers make scores exact;
 * `half` is for keys and values in f16. With `pooled`, keys lie in any order among rows that are nobody's, those before key `shared` where
 * the first sentence has its own; every third row is `padding`.
 */
export const args = (size: Size, random: () => number) => {
  const {
    H,
    K = H,
    E,
    self = 0,
    pad = 0,
    whole = 0,
    offset = 0,
    bias,
    half = 0,
    pooled = 0,
    shared = 0,
    padding = 0,
    status,
  } = size;
  const value = whole ? () => Math.round(6 * random()) + offset : random;
  const lengths = lengthsOf(size);
  const rows = rowsOf(size, lengths).map((row, n) => (padding && n % 3 === 1 ? [5, row[1], NO_ID, 6] : row));
  const S = lengths.reduce((sum, length) => sum + length, 0);
  const [Q, Z] = [H * E + (self ? 2 * K * E : pad), 2 * K * E + (self ? H * E : pad)];
  const spans = spansOf(lengths);
  const places = shuffled(pooled ? 2 * S + 3 : 0, random).slice(0, S);
  for (const [first, length] of pooled ? spans : []) {
    for (let t = 0; t < Math.min(shared, length, lengths[0]); t++) places[first + t] = places[spans[0][0] + t];
  }
  return {
    rows: u32Rows(rows),
    spans: u32Rows(spans),
    q: f32([rows.length, Q], value),
    kv: (half ? f16 : f32)([Math.max(1, pooled ? 2 * S + 3 : S), Z], (i) =>
      whole && i % Z < K * E ? -value() : random(),
    ),
    slots: pooled ? u32([S], (i) => places[i]) : undefined,
    bias: bias === undefined ? undefined : f32([2 * bias + 1, H], random),
    status: status === undefined ? undefined : statusOf(status),
    out: padding ? f32([rows.length, H * E], () => 7) : undefined,
  };
};

/** Scalars and constants of `attention`. */
export const values = ({ H, K = H, E, self = 0, pad = 0, causal = 0, whole = 0 }: Size) => ({
  H,
  K,
  E,
  scale: whole ? 1 : E ** -0.5,
  k_at: self ? H * E : pad && pad + K * E,
  v_at: self ? (H + K) * E : pad || K * E,
  CAUSAL: causal,
});
