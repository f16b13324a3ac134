import direct from "../../shaders/conv1d.wgsl";
import activation from "../../shaders/parts/activation.wgsl";
import formats from "../../shaders/parts/formats.wgsl";
import load1 from "../../shaders/parts/load1.wgsl";
import load4 from "../../shaders/parts/load4.wgsl";
import taps1 from "../../shaders/parts/taps1.wgsl";
import taps4 from "../../shaders/parts/taps4.wgsl";
import { type Dims, defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { activate } from "./activation.js";
import { chunk1, chunk4, chunkOf } from "./chunks.js";
import { weightBytes } from "./formats.js";

const parts = ({ I }: Dims): string =>
  chunkOf(I) === 4 ? joinShader(load4, chunk4, taps4) : joinShader(load1, chunk1, taps1);

/**
 * Convolution of three taps over packed sequences: y[n,o] = activation(bias[o] + sum_{i,k} x[STRIDE*position + k - 1,
 * i] * weight[o,i,k]) + positions[position,o], rows outside a sequence counting as zeros. rows u32[N,4]; spans
 * u32[B,2]; x f32[S,I]; weight [O,I,3]; bias f32[O]; positions f32[P,O]; y f32[N,O]. Numerics and source:
 * shaders/conv1d.wgsl.
 */
export const conv1d = defineKernel({
  name: "conv1d",
  reads: {
    rows: "u32[N,4]",
    spans: "u32[B,2]",
    x: "f32[S,I]",
    weight: "f32|f16|bf16[O,I,3]",
    bias: "f32[O]?",
    positions: "f32[P,O]?",
  },
  writes: { y: "f32[N,O]" },
  params: [],
  constants: ["STRIDE", "ACTIVATION"],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, activation, formats),
      parts,
      groups: ({ N, O, ROWS }) => Math.ceil(N / ROWS) * Math.ceil(O / 32),
      constants: () => ({ ROWS: 4 }),
      tunings: () => [{ ROWS: 1 }, { ROWS: 2 }, { ROWS: 4 }],
    },
  ],
  check: ({ STRIDE = 1 }) => (STRIDE < 1 ? `STRIDE must be at least 1, got ${STRIDE}` : undefined),
  bytes: ({ S, N, I, O, WEIGHT_FORMAT, HAS_BIAS, HAS_POSITIONS }) =>
    4 * (S * I + N * (O + 4) + O * HAS_BIAS + N * O * HAS_POSITIONS) + weightBytes([O, 3 * I], WEIGHT_FORMAT),
  flops: ({ N, I, O }) => 6 * N * I * O,
  reference({ N, I, O, STRIDE = 1, ACTIVATION = 0 }, { rows, spans, x, weight, bias, positions, y }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows[4 * n + 1], rows[4 * n + 2]];
      const [first, count] = [spans[2 * sentence], spans[2 * sentence + 1]];
      for (let o = 0; o < O; o++) {
        let sum = bias ? bias[o] : 0;
        for (let k = 0; k < 3; k++) {
          const s = STRIDE * position + k - 1;
          if (s < 0 || s >= count) continue;
          for (let i = 0; i < I; i++) sum += x[(first + s) * I + i] * weight[(o * I + i) * 3 + k];
        }
        y[n * O + o] = activate(ACTIVATION, sum) + (positions ? positions[position * O + o] : 0);
      }
    }
  },
});
