import { coverage } from "../src/kernels/index.js";
import { args, values } from "./coverage.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(coverage, {
  args,
  values,
  tolerance: 1e-6,
  cases: {
    "one row": { B: 1, W: 1, T: 5 },
    "three beams": { B: 4, W: 3, T: 9 },
    "three beams at an odd position": { B: 4, W: 3, T: 9, position: 7 },
    "the first step": { B: 4, W: 3, T: 9, position: 0 },
    "much attention": { B: 3, W: 4, T: 17, gain: 3 },
    "one row over a workgroup": { B: 13, W: 5, T: 20 },
    "a long source": { B: 2, W: 3, T: 1500, tolerance: 3e-6 },
    "status 0 writes nothing": { B: 2, W: 3, T: 9, status: 0 },
    "status 1 goes on": { B: 2, W: 3, T: 9, status: 1 },
    "idle rows, sentences without a penalty": { B: 7, W: 3, T: 9, gap: 2, mixed: 1 },
    "rows past 65535": { B: 65537, W: 1, T: 2 },
  },
  mutants: {
    direct: {
      "beams that have ended and attend": [
        "three beams",
        (wgsl) => wgsl.replace("select(1.0, 0.0,", "select(1.0, 1.0,"),
      ],
      "the past of the beam's own place": ["three beams", (wgsl) => wgsl.replace("(first + row.w)", "r")],
      "the tables exchanged": [
        "three beams",
        (wgsl) =>
          wgsl
            .replace("((row.y + 1u) & 1u)", "(row.y & 1u)")
            .replace("2u * r + (row.y & 1u)", "2u * r + ((row.y + 1u) & 1u)"),
      ],
      "what was not seen": [
        "three beams",
        (wgsl) => wgsl.replace("if (sum > 0.0) {", "if (true) {").replace("min(sum, 1.0)", "min(sum + 1e-6, 1.0)"),
      ],
      "more than all": ["much attention", (wgsl) => wgsl.replace("min(sum, 1.0)", "sum")],
      "a sentence without a penalty": [
        "idle rows, sentences without a penalty",
        (wgsl) => wgsl.replace("SETTING_COVERAGE_PENALTY) == 0.0", "SETTING_COVERAGE_PENALTY) == 7.0"),
      ],
      "sentences one after another": [
        "idle rows, sentences without a penalty",
        (wgsl) =>
          wgsl.replace("let first = setting(row.z, SETTING_FIRST)", "let first = row.z * setting(row.z, SETTING_W)"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "false"),
      ],
    },
  },
  refused: {
    "weights of two heads": [
      { B: 1, W: 2, T: 4 },
      (args) => {
        args.weights = f32([2, 2, 4], () => 0);
      },
      /weights must be f32\[R,1,T\]/,
    ],
  },
});
