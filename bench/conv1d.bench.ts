import { ACTIVATIONS } from "../src/kernels/activation.js";
import { conv1d } from "../src/kernels/index.js";
import { args, values } from "../tests/conv1d.args.js";
import { benchKernel } from "./support/harness.js";
import { inFormats } from "./support/linear.js";

const activation = ACTIVATIONS.gelu.code;

// Half a minute of speech: conv1 over 3,000 frames of 80 mel bands, conv2 at stride 2 with the positions.
const shapes = {
  "whisper-tiny conv1": { S: 3000, I: 80, O: 384, activation },
  "whisper-tiny conv2": { S: 3000, I: 384, O: 384, activation, stride: 2, positions: 1 },
  "whisper-base conv2": { S: 3000, I: 512, O: 512, activation, stride: 2, positions: 1 },
};

export const bench = benchKernel(conv1d, inFormats(shapes, "f32", "f16"), {
  args,
  values,
  tolerance: 1e-4,
  small: { S: 20, I: 80 },
});
