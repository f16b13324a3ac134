import { attentionMerge } from "../src/kernels/index.js";
import { args, values } from "./attention_merge.args.js";
import { checkKernel } from "./support/kernel.js";

checkKernel(attentionMerge, {
  args,
  values,
  tolerance: 1e-6, // measured 3e-7
  cases: {
    "one part": { R: 1, M: 64, H: 1, E: 4 },
    "rows of different lengths": { R: 9, M: 300, H: 3, E: 20, position: 0 },
    "scores far from one another": { R: 3, M: 700, H: 2, E: 8, gain: 60 },
    "scores far below zero": { R: 1, M: 200, H: 1, E: 8, gain: -1e4 },
    "eight parts": { R: 1, M: 512, H: 2, E: 64 },
    "one over eight parts": { R: 1, M: 576, H: 2, E: 64, position: 512 },
    "heads of 10": { R: 2, M: 130, H: 3, E: 10 },
    "heads of 1": { R: 2, M: 130, H: 1, E: 1 },
    "heads of 256": { R: 2, M: 130, H: 1, E: 256 },
    "a long past": { R: 1, M: 4230, H: 12, E: 64, position: 4225 },
    "status 0 writes nothing": { R: 1, M: 64, H: 1, E: 4, status: 0 },
  },
  mutants: {
    direct: {
      "parts past the row's": [
        "rows of different lengths",
        (wgsl) => wgsl.replace("rows[r].y / 64u", "rows[r].y / 60u"),
      ],
      "the last part for all past the end": [
        "rows of different lengths",
        (wgsl) => wgsl.replace("select(LOWEST, top, first + k < count)", "top"),
      ],
      "parts as if they were alike": ["scores far from one another", (wgsl) => wgsl.replace("exp(b.top - top)", "1.0")],
      "a total that does not decay": [
        "scores far from one another",
        (wgsl) => wgsl.replace("a.total * u + b.total * v", "a.total + b.total * v"),
      ],
      "a total of the first part": [
        "one over eight parts",
        (wgsl) => wgsl.replace("element(parts[part + width + 4u", "element(parts[at + width + 4u"),
      ],
      "heads over each other": ["heads of 10", (wgsl) => wgsl.replace("out[i] =", "out[r * width + i % width] =")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == 0u", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "parts of another width": [
      { R: 1, M: 64, H: 1, E: 4 },
      (args) => {
        args.parts = undefined;
      },
      /parts must be f32\[R,H\*Y\]/,
    ],
  },
});
