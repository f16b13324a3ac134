import shared from "../../shaders/attention_step.shared.wgsl";
import direct from "../../shaders/attention_step.wgsl";
import common from "../../shaders/parts/attention_step.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import pairs1 from "../../shaders/parts/pairs1.wgsl";
import pairs4 from "../../shaders/parts/pairs4.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { attend, biasAt } from "./attention.js";
import { chunkOf, chunks } from "./chunks.js";
import { prepareHead } from "./rope.js";
import { tableAt } from "./search_state.js";

const rotates = ({ HAS_POSITIONAL, RELATIVE = 0 }: Dims): boolean => HAS_POSITIONAL === 1 && !RELATIVE;
// The halves of a head that rotations take together are whole chunks too.
const chunked = (d: Dims): number => (rotates(d) ? d.E / 2 : d.E);
const width = (d: Dims): number => d.E / chunkOf(chunked(d));
const parts = (d: Dims): string => joinShader(chunks(chunked(d)), chunkOf(chunked(d)) === 4 ? pairs4 : pairs1);
const widths = (d: Dims) => ({ WIDTH: width(d), DISTANCE: d.RELATIVE ? (d.P - 1) / 2 : 0 });

/**
 * Self attention of one new token a row over its own past, through the beam indirection: appends the row's key and
 * value to the cache, then out[r,h,:] = sum_{t <= position} softmax_t(scale * q . k_t + bias) v_t. rows u32[R,4]; qkv
 * f32[R,H*E+2*K*E]; indirection u32[2,R,M] names the cache row of each step; positional f32[M,E] rotates q and k, or
 * with RELATIVE is the bias f32[U,H]; qk_norm f32[2,E]; cache f32[R,M,2*K*E]; out f32[R,H*E]. Numerics and source:
 * shaders/attention_step*.wgsl.
 */
export const attentionStep = defineKernel({
  name: "attention_step",
  reads: {
    rows: "u32[R,4]",
    qkv: "f32[R,H*E+2*K*E]",
    indirection: "u32[2,R,M]",
    positional: "f32[P,X]?",
    qk_norm: "f32[2,E]?",
    status: "u32[2]?",
  },
  writes: { cache: "f32[R,M,2*K*E]", out: "f32[R,H*E]" },
  params: ["H", "K", "E", "scale", "eps"],
  constants: ["INTERLEAVED", "RELATIVE"],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, searchState, constants),
      parts,
      for: "gpu",
      fits: (d) => width(d) <= 64,
      groups: ({ R, H }) => R * H,
      constants: widths,
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, searchState, constants),
      parts,
      groups: ({ R, H }) => Math.ceil((R * H) / 8),
      constants: widths,
    },
  ],
  check(d) {
    const { H, K, E, M, P, X, HAS_POSITIONAL } = d;
    if (rotates(d) && E % 2) return `E must be even to rotate, got ${E}`;
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (rotates(d) && (P !== M || X !== E)) return `rotations must be [M,E] = [${M},${E}], got [${P},${X}]`;
    if (HAS_POSITIONAL && d.RELATIVE && (P % 2 === 0 || X !== H))
      return `biases must be [distances,H], an odd number and ${H}, got [${P},${X}]`;
    return undefined;
  },
  bytes: ({ R, M, H, K, E }) => 4 * R * (2 * H * E + (M + 2) * K * E), // a cache half full on average
  flops: ({ R, M, H, E }) => 2 * R * M * H * E,
  reference(d, { rows, qkv, indirection, positional, qk_norm, cache, out }) {
    const { R, M, H, K, E, scale, RELATIVE = 0 } = d;
    const [rotary, bias] = RELATIVE ? [undefined, positional] : [positional, undefined];
    const heads = H + 2 * K;
    const slot = 2 * K * E;
    for (let r = 0; r < R; r++) {
      const position = rows[4 * r + 1];
      const own = Array.from({ length: heads }, (_, head) => {
        const values = Array.from({ length: E }, (_, e) => qkv[(r * heads + head) * E + e]);
        const gamma = qk_norm && ((e: number): number => qk_norm[(head < H ? 0 : E) + e]);
        return head < H + K ? prepareHead(d, values, position, gamma, rotary) : values;
      });
      own.slice(H).forEach((values, head) => {
        for (let e = 0; e < E; e++) cache[(r * M + position) * slot + head * E + e] = values[e];
      });
      const past = (t: number): number => (t === position ? r : indirection[(tableAt(position) * R + r) * M + t]);
      for (let h = 0; h < H; h++) {
        const key = (t: number): number => (past(t) * M + t) * slot + Math.floor((h * K) / H) * E;
        const value = (t: number): number => key(t) + K * E;
        const biasOf = bias && ((t: number): number => biasAt(bias, H, t - position, h));
        attend(own[h], 0, cache, key, value, position + 1, E, scale, out, (r * H + h) * E, biasOf);
      }
    }
  },
});
