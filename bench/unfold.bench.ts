import { unfold } from "../src/kernels/index.js";
import { args, values } from "../tests/unfold.args.js";
import { benchKernel } from "./support/kernel_bench.js";

// Half a minute of speech: the two convolutions of Whisper, the three of Moonshine, and the frames of a spectrum.
const shapes = {
  "whisper conv1 80 mels": { S: 3000, I: 80, taps: 3, pad: 1 },
  "whisper-tiny conv2": { S: 3000, I: 384, taps: 3, stride: 2, pad: 1 },
  "whisper-large conv2": { S: 3000, I: 1280, taps: 3, stride: 2, pad: 1 },
  "moonshine conv1": { S: 480000, I: 1, taps: 127, stride: 64 },
  "moonshine conv2": { S: 7499, I: 288, taps: 7, stride: 3 },
  spectrum: { S: 480240, I: 1, taps: 400, stride: 160 },
};

export const bench = benchKernel(unfold, shapes, { args, values, tolerance: 0, small: {} });
