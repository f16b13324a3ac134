import shared from "../../shaders/attention_step.shared.wgsl";
import direct from "../../shaders/attention_step.wgsl";
import common from "../../shaders/parts/attention_step.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import halves from "../../shaders/parts/halves.wgsl";
import pairs1 from "../../shaders/parts/pairs1.wgsl";
import pairs4 from "../../shaders/parts/pairs4.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import sums from "../../shaders/parts/sums.wgsl";
import { type Dims, defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { attend, biasAt } from "./attention.js";
import { cachePart } from "./caches.js";
import { chunkOf, chunks } from "./chunks.js";
import { NO_ID } from "./constants.js";
import { prepareHead } from "./rope.js";
import { TABLES, tableAt } from "./search_state.js";

const rotates = ({ HAS_POSITIONAL, RELATIVE = 0 }: Dims): boolean => HAS_POSITIONAL === 1 && !RELATIVE;
// The halves of a head that rotations take together are whole chunks too.
const chunked = (d: Dims): number => (rotates(d) ? d.E / 2 : d.E);
const width = (d: Dims): number => d.E / chunkOf(chunked(d));
const parts = (d: Dims): string =>
  joinShader(chunks(chunked(d)), chunkOf(chunked(d)) === 4 ? pairs4 : pairs1, cachePart(d.CACHE_FORMAT));
const widths = (d: Dims) => ({
  WIDTH: width(d),
  DISTANCE: d.RELATIVE ? (d.P - 1) / 2 : 0,
  SPLIT: Number(d.Y !== d.E),
});
/** The largest divisor of the chunks of a head that a GPU's registers hold at once. */
const step = (d: Dims): number =>
  Array.from({ length: 16 }, (_, i) => 16 - i).find((n) => width(d) % n === 0) as number;

const PART = 64; // keys
const MOST_WORKGROUPS = 64; // of a head of a row
const FIELDS = 8; // numbers of a part beside its sum
const partsOf = (M: number): number => Math.ceil(M / PART);

const workgroups = ({ E, M, Y }: Dims): number => (Y === E ? 1 : Math.min(MOST_WORKGROUPS, partsOf(M)));

/**
 * The numbers that a step over caches of M tokens leaves for each head, to be merged by `attention_merge`, where it
 * splits them: this many for each 64 tokens.
 */
export const splitWidth = (M: number, E: number): number => partsOf(M) * (E + FIELDS);

const dot = (q: ArrayLike<number>, x: Values, at: number): number => {
  let sum = 0;
  for (let e = 0; e < q.length; e++) sum += q[e] * x[at + e];
  return sum;
};

/** The sums of each 64 of `visible` keys, in f64, as `attention_merge` reads them. */
function sumParts(
  q: ArrayLike<number>,
  cache: Values,
  key: (t: number) => number,
  value: (t: number) => number,
  visible: number,
  scale: number,
  out: Values,
  outAt: number,
  bias: (t: number) => number = () => 0,
): void {
  const E = q.length;
  for (let part = 0; part < partsOf(visible); part++) {
    const at = outAt + part * (E + FIELDS);
    const keys = Array.from({ length: Math.min(PART, visible - part * PART) }, (_, i) => part * PART + i);
    const scores = keys.map((t) => dot(q, cache, key(t)) * scale + bias(t));
    const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = scores.map((score) => Math.exp(score - top));
    for (let e = 0; e < E; e++) out[at + e] = keys.reduce((sum, t, i) => sum + weights[i] * cache[value(t) + e], 0);
    for (let i = 0; i < FIELDS / 2; i++) {
      out[at + E + i] = top;
      out[at + E + FIELDS / 2 + i] = weights.reduce((a, b) => a + b, 0);
    }
  }
}

/**
 * Self attention of one new token a row over its own past: stores the row's key and value in its slot of the cache, then
 * out[r,h,:] = sum_{t <= position} softmax_t(scale * q . k_t + bias) v_t. An idle row, without a sentence, stores nothing
 * and gives zeros. rows u32[R,4]; qkv f32[R,H*E+2*K*E]; indirection u32[R,3,M] has the slot of each position of a row in
 * its table `tableAt(position)`; positional f32[M,E] rotates q and k, or with RELATIVE is the bias f32[P,H]; qk_norm
 * f32[2,E]; cache f32[Z,2*K*E], or in f16; out f32[R,H*Y], where Y is E. If Y is `splitWidth(M, E)`, out has sums of
 * each 64 keys, which `attention_merge` makes the result of: more workgroups then share long pasts. Numerics and source:
 * shaders/attention_step*.wgsl.
 */
export const attentionStep = defineKernel({
  name: "attention_step",
  reads: {
    rows: "u32[R,4]",
    qkv: "f32[R,H*E+2*K*E]",
    indirection: "u32[R,3,M]",
    positional: "f32[P,X]?",
    qk_norm: "f32[2,E]?",
    status: "u32[2]?",
  },
  writes: { cache: "f32|f16[Z,2*K*E]", out: "f32[R,H*Y]" },
  params: ["H", "K", "E", "Y", "scale", "eps"],
  constants: ["INTERLEAVED", "RELATIVE"],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, sums, searchState, constants, halves),
      parts,
      for: "gpu",
      fits: (d) => width(d) <= 64,
      groups: (d) => d.R * d.H * workgroups(d),
      constants: (d) => ({ ...widths(d), STEP: step(d) }),
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, searchState, constants, halves),
      parts,
      groups: (d) => Math.ceil((d.R * d.H * workgroups(d)) / 8),
      constants: widths,
    },
  ],
  check(d) {
    const { H, K, E, M, P, X, Y, HAS_POSITIONAL, CACHE_FORMAT } = d;
    if (rotates(d) && E % 2) return `E must be even to rotate, got ${E}`;
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (rotates(d) && (P !== M || X !== E)) return `rotations must be [M,E] = [${M},${E}], got [${P},${X}]`;
    if (HAS_POSITIONAL && d.RELATIVE && (P % 2 === 0 || X !== H))
      return `biases must be [distances,H], an odd number and ${H}, got [${P},${X}]`;
    if (Y !== E && Y !== splitWidth(M, E)) return `Y must be E=${E}, or ${splitWidth(M, E)} in parts, got ${Y}`;
    const chunk = rotates(d) ? 8 : 4;
    if (CACHE_FORMAT && E % chunk) return `E must be a multiple of ${chunk} with a cache in f16, got ${E}`;
    return undefined;
  },
  bytes: ({ R, M, H, K, E, CACHE_FORMAT }) => 4 * R * (2 * H * E + 2 * K * E) + (CACHE_FORMAT ? 2 : 4) * R * M * K * E, // a cache half full on average
  flops: ({ R, M, H, E }) => 2 * R * M * H * E,
  reference(d, { rows, qkv, indirection, positional, qk_norm, cache, out }) {
    const { R, M, H, K, E, Y, scale, RELATIVE = 0 } = d;
    const [rotary, bias] = RELATIVE ? [undefined, positional] : [positional, undefined];
    const heads = H + 2 * K;
    for (let r = 0; r < R; r++) {
      const position = rows[4 * r + 1];
      if (rows[4 * r + 2] === NO_ID) {
        for (let i = 0; Y === E && i < H * E; i++) out[r * H * E + i] = 0;
        continue;
      }
      const table = (TABLES * r + tableAt(position)) * M;
      const slotAt = (t: number): number => indirection[table + t] * 2 * K * E;
      const own = Array.from({ length: heads }, (_, head) => {
        const values = Array.from({ length: E }, (_, e) => qkv[(r * heads + head) * E + e]);
        const gamma = qk_norm && ((e: number): number => qk_norm[(head < H ? 0 : E) + e]);
        return head < H + K ? prepareHead(d, values, position, gamma, rotary) : values;
      });
      own.slice(H).forEach((values, head) => {
        for (let e = 0; e < E; e++) cache[slotAt(position) + head * E + e] = values[e];
      });
      for (let h = 0; h < H; h++) {
        const key = (t: number): number => slotAt(t) + Math.floor((h * K) / H) * E;
        const value = (t: number): number => key(t) + K * E;
        const biasOf = bias && ((t: number): number => biasAt(bias, H, t - position, h));
        const at = (r * H + h) * Y;
        if (Y === E) attend(own[h], 0, cache, key, value, position + 1, E, scale, out, at, biasOf);
        else sumParts(own[h], cache, key, value, position + 1, scale, out, at, biasOf);
      }
    }
  },
});
