import { EARLY_STOPPING } from "../src/kernels/beam_step.js";
import { beamStep } from "../src/kernels/index.js";
import { benchKernel, f32, u32 } from "./support/harness.js";

// The middle of a search: sentences of M/2 tokens without finished hypotheses; the end id is among the candidates.
export const bench = benchKernel(
  beamStep,
  {
    "g2p-en B=1 greedy": { B: 1, W: 1, V: 101, M: 48, G: 25, C: 1 },
    "g2p-en B=1 W=4": { B: 1, W: 4, V: 101, M: 48, G: 3, C: 8 },
    "g2p-en B=64 W=4": { B: 64, W: 4, V: 101, M: 48, G: 2, C: 8 },
    "marian-base B=1 W=4": { B: 1, W: 4, V: 58101, M: 64, G: 128, C: 8 },
    "marian-base B=32 W=4": { B: 32, W: 4, V: 58101, M: 64, G: 4, C: 8 },
    "gpt2 B=1 greedy": { B: 1, W: 1, V: 50257, M: 1024, G: 512, C: 1 },
  },
  {
    args: ({ B, W, V, M, G, C }, random) => {
      const R = B * W;
      const tops = Array.from({ length: R * G }, () => 4 * random());
      const gaps = Array.from({ length: R * G }, () => 0.3 + 0.2 * random());
      return {
        values: f32([R, G, C + 2], (i) => {
          const [part, c] = [Math.floor(i / (C + 2)), i % (C + 2)];
          return c === C + 1 ? 5 : tops[part] - (c === C ? 0 : c * gaps[part]);
        }),
        indices: u32([R, G, C], (i) => (Math.floor(i / C) % G) * Math.ceil(V / G) + (i % C)),
        end_ids: u32([1], () => 0),
        rows: u32([R, 4], (i) => [5, M / 2 - 1, Math.floor(i / 4 / W), 0][i % 4]),
        scores: f32([4, R], (i) => (i < R ? random() : 0)),
        sentences: u32([B, 4 + 3 * W], (i) => [M / 2, 1, M, 0][i % (4 + 3 * W)] ?? 0),
        indirection: u32([2, R, M], (i) => Math.floor((Math.floor(i / M) % R) / W) * W),
        status: u32([2], (i) => (i ? 0 : B)),
      };
    },
    values: ({ W, V }) => ({
      W,
      V,
      early_stopping: EARLY_STOPPING[W === 1 ? "true" : "false"],
      length_penalty: 1,
      groups: 1,
      group: 0,
      diversity_penalty: 0,
    }),
    tolerance: 1e-4,
    small: {},
    inPlace: true,
  },
);
