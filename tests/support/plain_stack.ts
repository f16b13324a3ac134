import type { Architecture, Stack } from "../../src/model/graph/architecture.js";

/** A row of numbers for each token. */
export type Rows = readonly (readonly number[])[];

/** The largest distance with a bias of its own; larger ones have the same. */
export const REACH = 3;

/**
 * One stack of a model in f64 and without kernels, from token ids (and the states of a source) to its last states: pre-norm,
 * RMSNorm, no biases, gated ReLU, attention with biases by distance instead of a factor, and a last norm.
 */
export function plainStack(
  a: Architecture,
  values: ReadonlyMap<string, Float32Array>,
  side: "encoder" | "decoder",
): (ids: readonly number[], source?: Rows) => Rows {
  const { D, eps } = a;
  const { H, K, E, F, depth } = a[side] as Stack;
  const get = (name: string): Float32Array => values.get(name) as Float32Array;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0);
  const add = (x: Rows, y: Rows): Rows => x.map((row, n) => row.map((value, d) => value + y[n][d]));
  const linear = (name: string, x: Rows): Rows => {
    const weight = get(`${name}.weight`);
    return x.map((row) =>
      Array.from({ length: weight.length / row.length }, (_, o) =>
        sum(row.map((value, i) => value * weight[o * row.length + i])),
      ),
    );
  };
  const norm = (name: string, x: Rows): Rows =>
    x.map((row) => {
      const size = Math.sqrt(sum(row.map((value) => value * value)) / D + eps);
      return row.map((value, d) => (value / size) * get(`${name}.weight`)[d]);
    });
  /** Attention with queries in `q` and keys and values in `kv`, in which query n sees the first `visible(n)` keys. */
  const attend = (q: Rows, kv: Rows, visible: (n: number) => number, bias?: Float32Array): Rows =>
    q.map((query, n) =>
      Array.from({ length: H }, (_, h) => {
        const shared = Math.floor((h * K) / H) * E;
        const scores = kv.slice(0, visible(n)).map((key, t) => {
          const distance = Math.max(-REACH, Math.min(REACH, t - n)) + REACH;
          const dot = sum(Array.from({ length: E }, (_, e) => query[h * E + e] * key[shared + e]));
          return dot + (bias ? bias[distance * H + h] : 0);
        });
        const weights = scores.map(Math.exp);
        return Array.from(
          { length: E },
          (_, e) => sum(weights.map((w, t) => w * kv[t][K * E + shared + e])) / sum(weights),
        );
      }).flat(),
    );
  const feedForward = (at: string, h: Rows): Rows => {
    const pairs = linear(`${at}.fc1`, norm(`${at}.final_norm`, h));
    const gated = pairs.map((row) => Array.from({ length: F }, (_, f) => Math.max(0, row[2 * f]) * row[2 * f + 1]));
    return add(h, linear(`${at}.fc2`, gated));
  };
  return (ids, source) => {
    let h: Rows = ids.map((id) => [...get(`${side}.embed_tokens.weight`).subarray(id * D, (id + 1) * D)]);
    for (let l = 0; l < depth; l++) {
      const at = `${side}.layers.${l}`;
      const qkv = linear(`${at}.self_attn.qkv`, norm(`${at}.self_attn_norm`, h));
      const kv = qkv.map((row) => row.slice(H * E));
      const seen = (n: number): number => (side === "decoder" ? n + 1 : ids.length);
      h = add(h, linear(`${at}.self_attn.out`, attend(qkv, kv, seen, get(`${at}.self_attn.relative_bias`))));
      if (source) {
        const q = linear(`${at}.cross_attn.q`, norm(`${at}.cross_attn_norm`, h));
        const keys = linear(`${at}.cross_attn.kv`, source);
        h = add(
          h,
          linear(
            `${at}.cross_attn.out`,
            attend(q, keys, () => source.length),
          ),
        );
      }
      h = feedForward(at, h);
    }
    return norm(`${side}.norm`, h);
  };
}
