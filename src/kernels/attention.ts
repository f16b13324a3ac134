import wgsl from "../../shaders/attention.wgsl";
import { defineKernel, type Values } from "../runtime/kernel.js";

/** Softmax-weighted sum of value rows; `key` and `value` give the flat start of a head's key and value at position t. */
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
): void {
  const scores = Array.from({ length: visible }, (_, t) => {
    let dot = 0;
    for (let e = 0; e < E; e++) dot += q[qAt + e] * kv[key(t) + e];
    return dot * scale;
  });
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((a, b) => a + b, 0);
  for (let e = 0; e < E; e++) {
    out[outAt + e] = weights.reduce((sum, weight, t) => sum + (weight / total) * kv[value(t) + e], 0);
  }
}

/** Attention of many queries over packed rows. Maths, shapes and source: the header of the WGSL file. */
export const attention = defineKernel({
  name: "attention",
  reads: { rows: "u32[N,4]", spans: "u32[B,2]", q: "f32[N,Q]", kv: "f32[S,Z]", status: "u32[2]?" },
  writes: { out: "f32[N,H*E]" },
  params: ["H", "K", "E", "k_at", "v_at", "scale"],
  constants: ["CAUSAL"],
  forms: { direct: { wgsl, groups: ({ N, H }) => Math.ceil((N * H) / 8), constants: ({ E }) => ({ WIDTH: E / 4 }) } },
  check({ Q, Z, H, K, E, k_at, v_at }) {
    if (E % 4 || Q % 4 || Z % 4 || k_at % 4 || v_at % 4)
      return `E, Q, Z, k_at and v_at must be multiples of 4, got ${[E, Q, Z, k_at, v_at]}`;
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (Q < H * E || Z < Math.max(k_at, v_at) + K * E)
      return `rows of q and kv must hold their heads, got Q=${Q} and Z=${Z}`;
    return undefined;
  },
  bytes: ({ N, S, H, K, E }) => 4 * (2 * N * H * E + 2 * S * K * E) + 16 * N,
  flops: ({ N, S, B, H, E }) => 4 * N * (S / B) * H * E,
  reference({ N, Q, Z, H, K, E, k_at, v_at, scale, CAUSAL = 0 }, { rows, spans, q, kv, out }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows[4 * n + 1], rows[4 * n + 2]];
      const [first, length] = [spans[2 * sentence], spans[2 * sentence + 1]];
      const visible = CAUSAL ? Math.min(length, position + 1) : length;
      for (let h = 0; h < H; h++) {
        const head = Math.floor((h * K) / H) * E;
        const at = (t: number, column: number): number => (first + t) * Z + column + head;
        attend(
          q,
          n * Q + h * E,
          kv,
          (t) => at(t, k_at),
          (t) => at(t, v_at),
          visible,
          E,
          scale,
          out,
          (n * H + h) * E,
        );
      }
    }
  },
});
