import { conv1d } from "../src/kernels/index.js";
import { benchKernel, bothFormats, f32, noise, u32 } from "./support/harness.js";

// Half a minute of speech: conv1 over 3,000 frames of 80 mel bands, conv2 at stride 2 with the positions.
export const bench = benchKernel(
  conv1d,
  bothFormats({
    "whisper-tiny conv1": { S: 3000, I: 80, O: 384, stride: 1 },
    "whisper-tiny conv2": { S: 3000, I: 384, O: 384, stride: 2 },
    "whisper-base conv2": { S: 3000, I: 512, O: 512, stride: 2 },
  }),
  {
    args: ({ S, I, O, stride, half }, random) => ({
      rows: u32([S / stride, 4], (i) => (i % 4 === 1 ? Math.floor(i / 4) : 0)),
      spans: u32([1, 2], (i) => i * S),
      x: noise("f32", [S, I], random),
      weight: noise(half ? "f16" : "f32", [O, I, 3], random),
      bias: f32([O], random),
      positions: stride === 2 ? noise("f32", [S / stride, O], random) : undefined,
    }),
    values: ({ stride }) => ({ STRIDE: stride, ACTIVATION: 2 }),
    tolerance: 1e-4,
    small: { S: 20, I: 80 },
  },
);
