import { dynamicRange } from "../src/kernels/index.js";
import { args, values } from "./dynamic_range.args.js";
import { checkKernel } from "./support/kernel.js";

checkKernel(dynamicRange, {
  args,
  values,
  tolerance: 1e-6,
  cases: {
    "one number": { N: 1, T: 1, C: 1 },
    "one over a workgroup": { N: 13, T: 13, C: 5 },
    "silence after it": { N: 3, T: 20, C: 7 },
    "a faint recording": { N: 9, T: 12, C: 7, peak: -6 },
    "numbers past 65535 workgroups": { N: 32769, T: 65537, C: 65 },
  },
  mutants: {
    direct: {
      "no limit": ["one over a workgroup", (wgsl) => wgsl.replace("select(value, least, value < least)", "value")],
      "no scale": ["one over a workgroup", (wgsl) => wgsl.replace(" * 0.25", "")],
      "silence that is zero": ["a faint recording", (wgsl) => wgsl.replace("select(params.silence,", "select(0.0,")],
      "the last numbers left out": ["one over a workgroup", (wgsl) => wgsl.replace("index >=", "index + 1u >=")],
    },
  },
  refused: {
    "fewer rows than are heard": [{ N: 4, T: 3, C: 2 }, () => {}, /T must be at least N=4, got 3/],
  },
});
