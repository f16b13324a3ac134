import cpu from "../../shaders/attention.cpu.wgsl";
import shared from "../../shaders/attention.shared.wgsl";
import direct from "../../shaders/attention.wgsl";
import common from "../../shaders/parts/attention.wgsl";
import bias from "../../shaders/parts/attention_bias.wgsl";
import rowsOfKeys from "../../shaders/parts/attention_rows.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import halves from "../../shaders/parts/halves.wgsl";
import type { DeviceClass } from "../runtime/device_class.js";
import { type Dims, defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { cachePart } from "./caches.js";
import { chunkOf, chunks } from "./chunks.js";
import { NO_ID } from "./constants.js";

/**
 * Attention of one query of width E to `visible` keys, in f64: writes the softmax-weighted sum of the values to `out`.
 * `key(t)` and `value(t)` are the places in `kv` at which key and value t begin.
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
 * The bias of head h at a distance, in a table [distances,H] whose middle row is distance 0; its ends also serve all
 * beyond.
 */
export function biasAt(table: Values, H: number, distance: number, h: number): number {
  const reach = (table.length / H - 1) / 2;
  return table[(Math.max(-reach, Math.min(reach, distance)) + reach) * H + h];
}

/**
 * The bucket of a distance (key minus query position). Source: T5Attention._relative_position_bucket of Transformers,
 * in f32 like there, because the logarithms of some distances are exactly on the border of two buckets.
 */
export function relativeBucket(distance: number, buckets: number, maxDistance: number, bidirectional: boolean): number {
  const half = bidirectional ? Math.floor(buckets / 2) : buckets;
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
 * The argument `bias` of attention, f32[2*maxDistance+1,H], from biases by bucket, f32[buckets,H]. It serves any
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

// No more rows share their loads than a sentence has on average. The bits of a row do not depend on it.
const queries = ({ N, B }: Dims): number => [8, 4, 2].find((rows) => N >= rows * B) ?? 1;
const reach = (P = 1): number => (P - 1) / 2;
const strides = ({ E, Q, Z, k_at, v_at }: Dims): number[] => [E, Q, Z, k_at, v_at];
const parts = (d: Dims): string => joinShader(chunks(...strides(d)), cachePart(d.KV_FORMAT));
const width = (d: Dims): number => d.E / chunkOf(...strides(d)); // in chunks

/** The numbers of a tile's sums that a lane's registers hold, 8 times: where it is more, compilers spill. */
const HELD: Readonly<Record<string, number>> = { intel: 128, apple: 256 };

// Rows a lane: no more than a sentence has for 8 lanes on average. Nor do the bits depend on it.
const deep = ({ N, B, E }: Dims, { vendor }: DeviceClass): number =>
  [4, 2].find((rows) => rows * E <= (HELD[vendor] ?? 512) && N > 4 * rows * B) ?? 1;

/**
 * Attention of many queries over packed rows: out[n,h,:] = sum_t softmax_t(scale * q[n,h,:] . k[t,h,:] + bias[t -
 * position,h]) v[t,h,:], t over the keys of row n's sentence, with CAUSAL only those up to its position; zeros for
 * padding, rows without a sentence. rows u32[N,4]; spans u32[B,2] = (first key row, keys); q f32[N,Q], head h at h*E; kv
 * f32[S,Z], or in f16, keys from k_at and values from v_at of a row, K heads each; with slots u32[U], spans are of slots,
 * and key t is in row slots[first + t]; bias f32[P,H] by distance, the middle row 0; out f32[N,H*E]. Numerics and source:
 * shaders/attention*.wgsl.
 */
export const attention = defineKernel({
  name: "attention",
  reads: {
    rows: "u32[N,4]",
    spans: "u32[B,2]",
    q: "f32[N,Q]",
    kv: "f32|f16[S,Z]",
    slots: "u32[U]?",
    bias: "f32[P,H]?",
    status: "u32[2]?",
  },
  writes: { out: "f32[N,H*E]" },
  params: ["H", "K", "E", "k_at", "v_at", "scale"],
  constants: ["CAUSAL"],
  rowAxis: "N",
  variants: [
    {
      name: "cpu",
      wgsl: joinShader(cpu, common, rowsOfKeys, bias, constants, halves),
      parts,
      needs: ["subgroups"],
      for: "cpu",
      // Only self attention: the few rows of a step run faster in the direct variant. If the choice depended on N, so would
      // the bits of a row.
      fits: (d, { subgroup }) =>
        subgroup === 8 && d.E <= 64 && chunkOf(...strides(d)) === 4 && (d.CAUSAL === 1 || d.Q === d.Z),
      groups: ({ N, H }) => Math.ceil(N / 16) * H,
      constants: (d) => ({ WIDTH: width(d), DISTANCE: reach(d.P) }),
    },
    {
      name: "shared",
      wgsl: joinShader(shared, common, rowsOfKeys, bias, constants, halves),
      parts,
      for: "gpu",
      fits: ({ E }) => E <= 256,
      groups: (d) => Math.ceil(d.N / (8 * d.DEEP)) * d.H,
      // The keys after which a sum is corrected are no choice: the last bits depend on them.
      constants: (d, device) => ({ WIDTH: width(d), DEEP: deep(d, device), DISTANCE: reach(d.P) }),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, rowsOfKeys, constants, halves),
      parts,
      groups: ({ N, H, QUERIES }) => Math.ceil((Math.ceil(N / QUERIES) * H) / 8),
      constants: (d) => ({ QUERIES: queries(d), DISTANCE: reach(d.P) }),
      tunings: () => [1, 2, 4, 8].map((QUERIES) => ({ QUERIES })),
    },
  ],
  check(d) {
    const { Q, Z, H, K, E, P = 1, k_at, v_at, KV_FORMAT } = d;
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (Q < H * E || Z < Math.max(k_at, v_at) + K * E)
      return `rows of q and kv must hold their heads, got Q=${Q} and Z=${Z}`;
    if (KV_FORMAT && chunkOf(...strides(d)) === 1)
      return `E, Q, Z, k_at and v_at must be multiples of 4 with keys in f16, got ${strides(d).join(", ")}`;
    return P % 2 ? undefined : `bias must have an odd number of distances, the middle one 0, got ${P}`;
  },
  bytes: ({ N, S, U = S, H, K, E, KV_FORMAT }) => 8 * N * H * E + (KV_FORMAT ? 4 : 8) * U * K * E + 16 * N,
  flops: ({ N, S, U = S, B, H, E, CAUSAL = 0 }) => ((4 * N * U) / B / (1 + CAUSAL)) * H * E,
  reference({ N, Q, Z, H, K, E, k_at, v_at, scale, CAUSAL = 0 }, { rows, spans, q, kv, slots, bias, out }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows[4 * n + 1], rows[4 * n + 2]];
      const [first, length] = [spans[2 * sentence], spans[2 * sentence + 1]];
      const visible = sentence === NO_ID ? 0 : CAUSAL ? Math.min(length, position + 1) : length;
      for (let h = 0; h < H; h++) {
        const head = Math.floor((h * K) / H) * E;
        const at = (t: number, column: number): number => (slots?.[first + t] ?? first + t) * Z + column + head;
        const key = (t: number): number => at(t, k_at);
        const value = (t: number): number => at(t, v_at);
        const biasOf = bias && ((t: number): number => biasAt(bias, H, t - position, h));
        attend(q, n * Q + h * E, kv, key, value, visible, E, scale, out, (n * H + h) * E, biasOf);
      }
    }
  },
});
