import direct from "../../shaders/groupnorm.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { chunkOf, chunks } from "./chunks.js";

const lanes = (size: number): number => Math.min(256, 2 ** Math.max(3, Math.ceil(Math.log2(size / 4))));

/**
 * Group norm with one group: y = (x - mean) / sqrt(var + eps) * gamma + beta with the mean and variance of all numbers of
 * a sentence's rows. spans u32[B,2]; x, y f32[N,D]; gamma, beta f32[D]. Numerics and source: shaders/groupnorm.wgsl.
 */
export const groupnorm = defineKernel({
  name: "groupnorm",
  reads: { spans: "u32[B,2]", x: "f32[N,D]", gamma: "f32[D]", beta: "f32[D]" },
  writes: { y: "f32[N,D]" },
  params: ["eps"],
  constants: [],
  variants: [
    {
      name: "direct",
      wgsl: direct,
      parts: ({ D }) => chunks(D),
      groups: ({ B }) => B,
      constants: ({ B, N, D }) => ({ LANES: lanes((N * D) / chunkOf(D) / Math.max(1, B)) }),
      tunings: () => [{ LANES: 64 }, { LANES: 128 }, { LANES: 256 }],
    },
  ],
  bytes: ({ N, D }) => 8 * N * D,
  flops: ({ N, D }) => 8 * N * D,
  reference({ B, D, eps }, { spans, x, gamma, beta, y }) {
    for (let b = 0; b < B; b++) {
      const [first, count] = [spans[2 * b] * D, spans[2 * b + 1] * D];
      const all = Float64Array.from({ length: count }, (_, i) => x[first + i]);
      const mean = all.reduce((sum, value) => sum + value, 0) / count;
      const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
      all.forEach((value, i) => {
        y[first + i] = ((value - mean) / Math.sqrt(variance + eps)) * gamma[i % D] + beta[i % D];
      });
    }
  },
});
