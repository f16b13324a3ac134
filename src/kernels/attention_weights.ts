import direct from "../../shaders/attention_weights.wgsl";
import biases from "../../shaders/parts/attention_bias.wgsl";
import rowsOfKeys from "../../shaders/parts/attention_rows.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import halves from "../../shaders/parts/halves.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { biasAt } from "./attention.js";
import { cachePart } from "./caches.js";
import { chunkOf, chunks } from "./chunks.js";
import { NO_ID } from "./constants.js";

const parts = ({ E, Q, Z, k_at, KV_FORMAT }: Dims): string => joinShader(chunks(E, Q, Z, k_at), cachePart(KV_FORMAT));

/**
 * The softmax weights that `attention` does not keep: weights[n,x,t] = softmax_t(scale * q[n,h,:] . k[t,h,:] + bias[t -
 * position,h]), 0 beyond the keys that a query sees, of which padding has none; h is heads[x], or x without a list.
 * Arguments as those of `attention`; heads u32[X]; weights f32[N,X,T], T at least the longest sentence. Numerics and source:
 * shaders/attention_weights.wgsl.
 */
export const attentionWeights = defineKernel({
  name: "attention_weights",
  reads: {
    rows: "u32[N,4]",
    spans: "u32[B,2]",
    q: "f32[N,Q]",
    kv: "f32|f16[S,Z]",
    slots: "u32[U]?",
    bias: "f32[P,H]?",
    heads: "u32[X]?",
  },
  writes: { weights: "f32[N,X,T]" },
  params: ["H", "K", "E", "X", "T", "k_at", "scale"],
  constants: ["CAUSAL"],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, rowsOfKeys, biases, constants, halves),
      parts,
      groups: ({ N, X }) => Math.ceil((N * X) / 64),
      constants: ({ P = 1 }) => ({ DISTANCE: (P - 1) / 2 }),
    },
  ],
  check({ Q, Z, H, K, E, X, P = 1, k_at, HAS_HEADS, KV_FORMAT }) {
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (!HAS_HEADS && X !== H) return `weights must have all ${H} heads without a list of heads, got ${X}`;
    if (Q < H * E || Z < k_at + K * E) return `rows of q and kv must hold their heads, got Q=${Q} and Z=${Z}`;
    if (KV_FORMAT && chunkOf(E, Q, Z, k_at) === 1)
      return `E, Q, Z and k_at must be multiples of 4 with keys in f16, got ${[E, Q, Z, k_at].join(", ")}`;
    return P % 2 ? undefined : `bias must have an odd number of distances, the middle one 0, got ${P}`;
  },
  bytes: ({ N, S, U = S, X, K, E, T }) => 4 * (N * X * E + U * K * E + N * X * T) + 16 * N,
  flops: ({ N, S, U = S, B, X, E }) => 2 * N * (U / B) * X * E,
  reference({ N, Q, Z, H, K, E, X, T, k_at, scale, CAUSAL = 0 }, { rows, spans, q, kv, slots, bias, heads, weights }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows[4 * n + 1], rows[4 * n + 2]];
      const [first, length] = [spans[2 * sentence], spans[2 * sentence + 1]];
      const visible = sentence === NO_ID ? 0 : Math.min(length, T, CAUSAL ? position + 1 : T);
      for (let x = 0; x < X; x++) {
        const h = heads ? heads[x] : x;
        const head = k_at + Math.floor((h * K) / H) * E;
        const scores = Array.from({ length: visible }, (_, t) => {
          const key = (slots?.[first + t] ?? first + t) * Z + head;
          let dot = 0;
          for (let e = 0; e < E; e++) dot += q[n * Q + h * E + e] * kv[key + e];
          return dot * scale + (bias ? biasAt(bias, H, t - position, h) : 0);
        });
        const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
        for (let t = 0; t < T; t++) weights[(n * X + x) * T + t] = t < visible ? Math.exp(scores[t] - top) / total : 0;
      }
    }
  },
});
