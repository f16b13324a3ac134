import { logMel } from "../src/kernels/index.js";
import { args, values } from "./log_mel.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(logMel, {
  args,
  values,
  tolerance: 2e-6,
  cases: {
    "one number": { N: 1, X: 1, C: 1 },
    "one over a workgroup": { N: 13, X: 9, C: 5 },
    "whisper's, 80 bands": { N: 7, X: 201, C: 80 },
    "whisper's, 128 bands": { N: 5, X: 201, C: 128, wide: 9 },
    "powers far below the floor": { N: 3, X: 20, C: 7, gain: 1e-8 },
    "large powers": { N: 3, X: 20, C: 7, gain: 1e6 },
    "a floor of 1": { N: 9, X: 20, C: 7, floor: 1 },
    "numbers past 65535 workgroups": { N: 65537, X: 2, C: 65, wide: 2 },
  },
  mutants: {
    direct: {
      "the imaginary part beside the real one": [
        "one over a workgroup",
        (wgsl) => wgsl.replace("spectrum[at + params.X + x]", "spectrum[at + x + 1u]"),
      ],
      "the last bin of a band left out": [
        "one over a workgroup",
        (wgsl) => wgsl.replace("x < band.x + band.y;", "x + 1u < band.x + band.y;"),
      ],
      "bands that begin at 0": ["one over a workgroup", (wgsl) => wgsl.replace("var x = band.x;", "var x = 0u;")],
      "the magnitude for the power": [
        "one over a workgroup",
        (wgsl) => wgsl.replace("(re * re + im * im)", "sqrt(re * re + im * im)"),
      ],
      "no floor": [
        "powers far below the floor",
        (wgsl) => wgsl.replace("select(power, params.floor, power < params.floor)", "power"),
      ],
      "the natural logarithm": ["one over a workgroup", (wgsl) => wgsl.replace("0.30102999566", "0.69314718056")],
    },
  },
  refused: {
    "filters of another width": [
      { N: 2, X: 6, C: 3 },
      (args) => {
        args.filters = f32([3, 5], () => 1);
      },
      /spectrum must be f32\[N,2\*X\]|filters must be f32\[C,X\]/,
    ],
  },
});
