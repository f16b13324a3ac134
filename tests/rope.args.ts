import { NO_ID } from "../src/kernels/constants.js";
import { f16, f32, statusOf, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `rope`, for tests and benches: B sentences of T new rows each; a sentence begins 3 positions after the one before. The slots
 * of neighbouring rows are neither neighbours nor in order. Every third row is `padding`.
 */
export const args = (size: Size, random: () => number) => {
  const {
    B,
    T = 1,
    M,
    H,
    K,
    E,
    position = 0,
    rotary = 1,
    norms = 0,
    gain = 1,
    offset = 0,
    status,
    cache = 1,
    half = 0,
    padding = 0,
  } = size;
  const N = B * T;
  const Z = 3 * N + 4;
  const row = (n: number): number[] => {
    const b = Math.floor(n / T);
    return [5, (position + (n % T) + 3 * b) % M, padding && n % 3 === 1 ? NO_ID : b, Z - 1 - (n % 2 ? n : 3 * n)];
  };
  return {
    rows: u32Rows(Array.from({ length: N }, (_, n) => row(n))),
    rotary: rotary ? f32([M, E], random) : undefined,
    qk_norm: norms ? f32([2, E], random) : undefined,
    status: status === undefined ? undefined : statusOf(status),
    qkv: f32([N, (H + 2 * K) * E], () => gain * random() + offset),
    cache: cache ? (half ? f16 : f32)([Z, 2 * K * E], random) : undefined,
  };
};

/** Scalars and constants of `rope`. */
export const values = ({ H, K, E, interleaved = 0 }: Size) => ({
  H,
  K,
  E,
  eps: 1e-6,
  INTERLEAVED: interleaved,
});
