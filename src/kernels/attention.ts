import cpu from "../../shaders/attention.cpu.wgsl";
import shared from "../../shaders/attention.shared.wgsl";
import direct from "../../shaders/attention.wgsl";
import interfaceOf from "../../shaders/parts/attention.wgsl";
import bias from "../../shaders/parts/attention_bias.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import { type Dims, defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";

/**
 * Softmax-weighted sum of value rows; `key` and `value` give the flat start of a head's key and value at position t.
 */
export function attend(
  q: Values,
  qAt: number,
  kv: Values,
  key: (t: number) => number,
  value: (t: number) => number,
  visible: number,
  E: number,
  scale: number,
  out: Values,
  outAt: number,
  bias: (t: number) => number = () => 0,
): void {
  const scores = Array.from({ length: visible }, (_, t) => {
    let dot = 0;
    for (let e = 0; e < E; e++) dot += q[qAt + e] * kv[key(t) + e];
    return dot * scale + bias(t);
  });
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((a, b) => a + b, 0);
  for (let e = 0; e < E; e++) {
    out[outAt + e] = weights.reduce((sum, weight, t) => sum + (weight / total) * kv[value(t) + e], 0);
  }
}

/**
 * The bias of head h in a table of `table.length / H` distances, the middle one 0; distances past its ends have theirs.
 */
export function biasAt(table: Values, H: number, distance: number, h: number): number {
  const reach = (table.length / H - 1) / 2;
  return table[(Math.max(-reach, Math.min(reach, distance)) + reach) * H + h];
}

/**
 * The bucket of a distance (key minus query position), as T5Attention._relative_position_bucket of Transformers tells
 * it: in f32, because distances whose logarithm is a whole number of buckets lie on the border.
 */
export function relativeBucket(distance: number, buckets: number, maxDistance: number, bidirectional: boolean): number {
  const half = bidirectional ? buckets / 2 : buckets;
  const first = bidirectional && distance > 0 ? half : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(half / 2);
  if (far < exact) return first + far;
  const share = Math.fround(
    Math.fround(Math.log(Math.fround(far / exact))) / Math.fround(Math.log(maxDistance / exact)),
  );
  return first + Math.min(half - 1, exact + Math.floor(Math.fround(share * (half - exact))));
}

/**
 * The argument `bias` of attention, [2 * maxDistance + 1, H], from biases by bucket, [buckets, H]: the same for any
 * length.
 */
export function relativeBias(
  weight: Values,
  H: number,
  maxDistance: number,
  bidirectional: boolean,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: (2 * maxDistance + 1) * H }, (_, i) => {
    const bucket = relativeBucket(Math.floor(i / H) - maxDistance, weight.length / H, maxDistance, bidirectional);
    return weight[bucket * H + (i % H)];
  });
}

// As many rows share their loads as a sentence has on average: a row's bits do not depend on it.
const queries = ({ N, B }: Dims): number => [8, 4, 2].find((rows) => N >= rows * B) ?? 1;
const reach = (U = 1): number => (U - 1) / 2;

/**
 * Attention of many queries over packed rows: out[n,h,:] = sum_t softmax_t(scale * q[n,h,:] . k[t,h,:] + bias[t -
 * position,h]) v[t,h,:], t over the keys of row n's sentence, with CAUSAL only those up to its position. rows u32[N,4];
 * spans u32[B,2] = (first key row, keys); q f32[N,Q], head h at h*E; kv f32[S,Z], keys from k_at and values from v_at
 * of a row, K heads each; bias f32[U,H] by distance, the middle row 0; out f32[N,H*E]. Numerics and source:
 * shaders/attention*.wgsl.
 */
export const attention = defineKernel({
  name: "attention",
  reads: {
    rows: "u32[N,4]",
    spans: "u32[B,2]",
    q: "f32[N,Q]",
    kv: "f32[S,Z]",
    bias: "f32[U,H]?",
    status: "u32[2]?",
  },
  writes: { out: "f32[N,H*E]" },
  params: ["H", "K", "E", "k_at", "v_at", "scale"],
  constants: ["CAUSAL"],
  variants: [
    {
      name: "cpu",
      wgsl: joinShader(cpu, interfaceOf, bias, constants),
      needs: ["subgroups"],
      for: "cpu",
      // Self attention alone: the few rows of a decode step are faster directly, and the choice must not depend on N, or a row's
      // bits would.
      fits: ({ E, Q, Z, CAUSAL, SUBGROUP }) => SUBGROUP === 8 && E <= 64 && (CAUSAL === 1 || Q === Z),
      groups: ({ N, H }) => Math.ceil(N / 16) * H,
      constants: ({ E, U }) => ({ WIDTH: E / 4, DISTANCE: reach(U) }),
    },
    {
      name: "shared",
      wgsl: joinShader(shared, interfaceOf, bias, constants),
      for: "gpu",
      fits: ({ E }) => E <= 256,
      groups: ({ N, H }) => Math.ceil(N / 16) * H,
      // TILE is not tuned: where sums are corrected decides their last bits.
      constants: ({ E, U }) => ({
        WIDTH: E / 4,
        TILE: Math.min(32, 4 * Math.floor(136 / ((E / 4) | 1))),
        DISTANCE: reach(U),
      }),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, interfaceOf, constants),
      groups: ({ N, H, QUERIES }) => Math.ceil((Math.ceil(N / QUERIES) * H) / 8),
      constants: (d) => ({ QUERIES: queries(d), DISTANCE: reach(d.U) }),
      tunings: () => [1, 2, 4, 8].map((QUERIES) => ({ QUERIES })),
    },
  ],
  check({ Q, Z, H, K, E, U = 1, k_at, v_at }) {
    if (E % 4 || Q % 4 || Z % 4 || k_at % 4 || v_at % 4)
      return `E, Q, Z, k_at and v_at must be multiples of 4, got ${[E, Q, Z, k_at, v_at]}`;
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (Q < H * E || Z < Math.max(k_at, v_at) + K * E)
      return `rows of q and kv must hold their heads, got Q=${Q} and Z=${Z}`;
    return U % 2 ? undefined : `bias must have an odd number of distances, the middle one 0, got ${U}`;
  },
  bytes: ({ N, S, H, K, E }) => 4 * (2 * N * H * E + 2 * S * K * E) + 16 * N,
  flops: ({ N, S, B, H, E, CAUSAL = 0 }) => ((4 * N * S) / B / (1 + CAUSAL)) * H * E,
  reference({ N, Q, Z, H, K, E, k_at, v_at, scale, CAUSAL = 0 }, { rows, spans, q, kv, bias, out }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows[4 * n + 1], rows[4 * n + 2]];
      const [first, length] = [spans[2 * sentence], spans[2 * sentence + 1]];
      const visible = CAUSAL ? Math.min(length, position + 1) : length;
      for (let h = 0; h < H; h++) {
        const head = Math.floor((h * K) / H) * E;
        const at = (t: number, column: number): number => (first + t) * Z + column + head;
        const key = (t: number): number => at(t, k_at);
        const value = (t: number): number => at(t, v_at);
        const biasOf = bias && ((t: number): number => biasAt(bias, H, t - position, h));
        attend(q, n * Q + h * E, kv, key, value, visible, E, scale, out, (n * H + h) * E, biasOf);
      }
    }
  },
});
