import constants from "../../shaders/parts/constants.wgsl";
import halves from "../../shaders/parts/halves.wgsl";
import wordsF16 from "../../shaders/parts/words_f16.wgsl";
import wordsF32 from "../../shaders/parts/words_f32.wgsl";
import direct from "../../shaders/rope.wgsl";
import { type Dims, defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { NO_ID } from "./constants.js";

/** Normalises and rotates a head of q or k in f64, as `rope` and `attention_step` do. */
export function prepareHead(
  { E, eps, INTERLEAVED = 0 }: Dims,
  head: ArrayLike<number>,
  position: number,
  gamma: ((e: number) => number) | undefined,
  rotary?: Values,
): Float64Array {
  const x = Float64Array.from(head);
  if (gamma) {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / E + eps);
    x.forEach((value, e) => (x[e] = value * scale * gamma(e)));
  }
  if (!rotary) return x;
  const half = E / 2;
  for (let i = 0; i < half; i++) {
    const [first, second] = INTERLEAVED ? [2 * i, 2 * i + 1] : [i, i + half];
    const [cosine, sine] = [rotary[position * E + i], rotary[position * E + half + i]];
    const [a, b] = [x[first], x[second]];
    x[first] = a * cosine - b * sine;
    x[second] = b * cosine + a * sine;
  }
  return x;
}

/**
 * Prepares the heads of packed new rows in place, and stores keys and values in a cache, if given. With qk_norm, q and k
 * are normalised; then, with rotary, their pairs (a, b) are rotated to (a cos - b sin, b cos + a sin). rows u32[N,4] =
 * (_, position, sentence, slot), of which those without a sentence are padding and left as they are; rotary f32[M,E],
 * cosines then sines; qk_norm f32[2,E]; qkv f32[N,H*E+2*K*E]; cache f32[Z,2*K*E], or in f16. Numerics and source:
 * shaders/rope.wgsl.
 */
export const rope = defineKernel({
  name: "rope",
  reads: { rows: "u32[N,4]", rotary: "f32[M,E]?", qk_norm: "f32[2,E]?", status: "u32[2]?" },
  writes: { qkv: "f32[N,H*E+2*K*E]", cache: "f32|f16[Z,2*K*E]?" },
  params: ["H", "K", "E", "eps"],
  constants: ["INTERLEAVED"],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, constants, halves),
      parts: ({ CACHE_FORMAT }) => (CACHE_FORMAT ? wordsF16 : wordsF32),
      groups: ({ N, H, K, HAS_CACHE }) => Math.ceil((N * (H + (1 + HAS_CACHE) * K)) / 64),
    },
  ],
  check({ E, HAS_ROTARY, CACHE_FORMAT }) {
    if (HAS_ROTARY && E % 2) return `E must be even to rotate, got ${E}`;
    return CACHE_FORMAT && E % 2 ? `E must be even with a cache in f16, got ${E}` : undefined;
  },
  bytes: ({ N, H, K, E, HAS_ROTARY, HAS_CACHE, CACHE_FORMAT }) =>
    N * E * (HAS_ROTARY * 8 * (H + K) + HAS_CACHE * (CACHE_FORMAT ? 12 : 16) * K),
  flops: ({ N, H, K, E }) => 3 * N * (H + K) * E,
  reference(d, { rows, rotary, qk_norm, qkv, cache }) {
    const { N, H, K, E } = d;
    const heads = H + 2 * K;
    for (let n = 0; n < N; n++) {
      const [position, sentence, slot] = [rows[4 * n + 1], rows[4 * n + 2], rows[4 * n + 3]];
      if (sentence === NO_ID) continue;
      for (let head = 0; head < heads; head++) {
        const at = (n * heads + head) * E;
        if (head < H + K) {
          const gamma = qk_norm && ((e: number): number => qk_norm[(head < H ? 0 : E) + e]);
          const before = Array.from({ length: E }, (_, e) => qkv[at + e]);
          prepareHead(d, before, position, gamma, rotary).forEach((value, e) => (qkv[at + e] = value));
        }
        const to = (slot * 2 * K + head - H) * E;
        for (let e = 0; cache && head >= H && e < E; e++) cache[to + e] = qkv[at + e];
      }
    }
  },
});
