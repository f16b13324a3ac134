import { unfold } from "../src/kernels/index.js";
import { args, values } from "./unfold.args.js";
import { checkKernel } from "./support/kernel.js";

checkKernel(unfold, {
  args,
  values,
  tolerance: 0,
  cases: {
    "one frame": { lengths: 1, I: 1, taps: 1 },
    "one frame under three taps": { lengths: 1, I: 4, pad: 1 },
    "sequences of odd lengths": { lengths: 50301, I: 8, pad: 1 },
    "sequences of odd lengths at stride 2": { lengths: 50301, I: 7, stride: 2, pad: 1 },
    "no padding": { lengths: 170906, I: 3, taps: 5, stride: 3 },
    "one short of a workgroup": { lengths: 4, I: 21 },
    "one over a workgroup": { lengths: 4, I: 13, taps: 5, pad: 2 },
    "whisper's first": { lengths: 4020, I: 80, pad: 1 },
    "whisper's second": { lengths: 4021, I: 64, stride: 2, pad: 1 },
    "samples under many taps": { S: 300, I: 1, taps: 127, stride: 64 },
    "rows past 65535": { S: 65540, I: 2 },
  },
  mutants: {
    direct: {
      "taps outermost": [
        "sequences of odd lengths",
        (wgsl) => wgsl.replace("let i = j / TAPS;", "let i = j % params.I;").replace("j - i * TAPS", "j / params.I"),
      ],
      "a stride that is forgotten": [
        "sequences of odd lengths at stride 2",
        (wgsl) => wgsl.replace("STRIDE * row.y", "row.y"),
      ],
      "rows of another sequence": ["sequences of odd lengths", (wgsl) => wgsl.replace("spans[row.z]", "spans[0]")],
      "a beginning that is not padded": ["sequences of odd lengths", (wgsl) => wgsl.replace("at >= 0 && ", "")],
      "an end that is not padded": ["sequences of odd lengths", (wgsl) => wgsl.replace(" && at <= last", "")],
      "columns past the first workgroup": ["one over a workgroup", (wgsl) => wgsl.replace("j += 64u", "j += width")],
    },
  },
  refused: {
    "a stride of 0": [{ lengths: 3, I: 4, stride: 0 }, () => {}, /TAPS and STRIDE must be at least 1, got 3 and 0/],
  },
});
