import wgsl from "../../shaders/attention_step.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { attend } from "./attention.js";

/** Self attention of one new token a row, through the cache. Maths, shapes and source: the header of the WGSL file. */
export const attentionStep = defineKernel({
  name: "attention_step",
  reads: { rows: "u32[R,4]", qkv: "f32[R,H*E+2*K*E]", indirection: "u32[2,R,M]", status: "u32[2]?" },
  writes: { cache: "f32[R,M,2*K*E]", out: "f32[R,H*E]" },
  params: ["H", "K", "E", "scale"],
  constants: [],
  forms: { direct: { wgsl, groups: ({ R, H, E }) => Math.ceil((R * H * Math.ceil(E / 16)) / 64) } },
  check({ H, K, E }) {
    if (E % 4) return `E must be a multiple of 4, got ${E}`;
    return H % K ? `K must divide H, got K=${K} and H=${H}` : undefined;
  },
  bytes: ({ R, M, H, K, E }) => 4 * R * (2 * H * E + (M + 2) * K * E), // a cache half full on average
  flops: ({ R, M, H, E }) => 2 * R * M * H * E,
  reference({ R, M, H, K, E, scale }, { rows, qkv, indirection, cache, out }) {
    const width = (H + 2 * K) * E;
    const slot = 2 * K * E;
    for (let r = 0; r < R; r++) {
      const position = rows[4 * r + 1];
      for (let i = 0; i < slot; i++) cache[(r * M + position) * slot + i] = qkv[r * width + H * E + i];
      const past = (t: number): number => indirection[((position % 2) * R + r) * M + t];
      for (let h = 0; h < H; h++) {
        const head = Math.floor((h * K) / H) * E;
        const key = (t: number): number => ((t === position ? r : past(t)) * M + t) * slot + head;
        attend(qkv, r * width + h * E, cache, key, (t) => key(t) + K * E, position + 1, E, scale, out, (r * H + h) * E);
      }
    }
  },
});
