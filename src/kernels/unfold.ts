import direct from "../../shaders/unfold.wgsl";
import { defineKernel } from "../runtime/kernel.js";

/**
 * The frames under the taps of a convolution side by side: columns[n, i*TAPS + k] = x[STRIDE*position + k - PAD, i], in
 * the order in which convolutions store their weights. Frames outside of a sequence count as zeros. rows u32[N,4]; spans
 * u32[B,2] in x; x f32[S,I]; columns f32[N,I*TAPS]. Source: shaders/unfold.wgsl.
 */
export const unfold = defineKernel({
  name: "unfold",
  reads: { rows: "u32[N,4]", spans: "u32[B,2]", x: "f32[S,I]" },
  writes: { columns: "f32[N,I*TAPS]" },
  params: [],
  constants: ["TAPS", "STRIDE", "PAD"],
  variants: [{ name: "direct", wgsl: direct, groups: ({ N }) => N }],
  check: ({ TAPS, STRIDE = 1 }) =>
    TAPS < 1 || STRIDE < 1 ? `TAPS and STRIDE must be at least 1, got ${TAPS} and ${STRIDE}` : undefined,
  bytes: ({ S, N, I, TAPS }) => 4 * (S * I + N * I * TAPS + 4 * N),
  flops: () => 0,
  reference({ N, I, TAPS, STRIDE = 1, PAD = 0 }, { rows, spans, x, columns }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows[4 * n + 1], rows[4 * n + 2]];
      const [first, count] = [spans[2 * sentence], spans[2 * sentence + 1]];
      for (let k = 0; k < TAPS; k++) {
        const at = STRIDE * position + k - PAD;
        for (let i = 0; i < I; i++)
          columns[(n * I + i) * TAPS + k] = at >= 0 && at < count ? x[(first + at) * I + i] : 0;
      }
    }
  },
});
