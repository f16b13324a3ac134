import { NO_ID } from "../src/kernels/constants.js";
import { f16, f32, shuffled, u32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `attention_weights`, for tests and benches: B sentences of 1 to S keys in turn and as many queries; `empty` leaves
 * them none to see. In self attention all have S, and queries, keys and values lie in one row; else `pad` columns behind the queries and
 * before the keys are nobody's. Of the heads `chosen` ones are asked for, from the last on.
 * With `pooled`, keys lie in any order; every third row is `padding`.
 */
export const args = (
  {
    B,
    S,
    H,
    K = H,
    E,
    T,
    self = 0,
    gain = 1,
    empty = 0,
    pad = 4,
    bias,
    half = 0,
    pooled = 0,
    padding = 0,
    chosen,
  }: Size,
  random: () => number,
) => {
  const lengths = Array.from({ length: B }, (_, b) => (self ? S : (b % S) + 1));
  const owners = lengths.flatMap((length, b) => Array.from({ length }, (_, t) => [t, b]));
  let end = 0;
  const spans = lengths.map((length) => [(end += length) - length, empty ? 0 : length]);
  const N = owners.length;
  const places = shuffled(pooled ? N : 0, random);
  return {
    rows: u32Rows(owners.map(([t, b], n) => [9, t, padding && n % 3 === 1 ? NO_ID : b, 9])),
    spans: u32Rows(spans),
    q: f32([N, H * E + (self ? 2 * K * E : pad)], () => gain * random()),
    kv: (half ? f16 : f32)([N, K * E + (self ? (H + K) * E : pad)], () => gain * random()),
    slots: pooled ? u32([N], (i) => places[i]) : undefined,
    bias: bias === undefined ? undefined : f32([2 * bias + 1, H], random),
    heads: chosen === undefined ? undefined : u32([chosen], (x) => H - 1 - x),
    weights: f32([N, chosen ?? H, T], () => 7),
  };
};

/** Scalars and constants of `attention_weights`. */
export const values = ({ H, K = H, E, T, self = 0, pad = 4, chosen = H, causal = 0 }: Size) => ({
  H,
  K,
  E,
  X: chosen,
  T,
  k_at: self ? H * E : pad,
  scale: E ** -0.5,
  CAUSAL: causal,
});
