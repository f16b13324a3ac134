import { groupnorm } from "../src/kernels/index.js";
import { args, values } from "./groupnorm.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(groupnorm, {
  args,
  values,
  tolerance: 1e-6,
  cases: {
    "one number": { B: 1, S: 1, D: 1 },
    "one row": { B: 1, S: 1, D: 4 },
    "sentences of several lengths": { B: 5, D: 20, most: 4 },
    "one short of a workgroup": { B: 1, S: 255, D: 4 },
    "one over a workgroup": { B: 2, S: 257, D: 4 },
    "moonshine tiny, a second": { B: 1, S: 249, D: 288 },
    "squares below eps": { B: 2, S: 3, D: 8, gain: 1e-4 },
    "far from zero": { B: 2, S: 40, D: 12, offset: 1000, tolerance: 3e-4 },
    ...Object.fromEntries([1, 2, 3, 6, 7, 30, 37].map((D) => [`width ${D}`, { B: 3, D, most: 3 }])),
    "sentences past 65535": { B: 65537, D: 4, most: 2 },
  },
  mutants: {
    direct: {
      "a width of whole fours": [
        "width 7",
        (wgsl) => wgsl.replaceAll("params.D / CHUNK", "params.D / 4u * 4u / CHUNK"),
      ],
      "a mean of one row": ["width 7", (wgsl) => wgsl.replace("f32(spans[b].y) * f32(params.D)", "f32(params.D)")],
      "sentences that all begin at the first row": [
        "sentences of several lengths",
        (wgsl) => wgsl.replace("spans[b].x * width", "0u"),
      ],
      "a variance about zero": [
        "far from zero",
        (wgsl) => wgsl.replace("let centred = x[i] - mean", "let centred = x[i]"),
      ],
      "an eps that is forgotten": ["squares below eps", (wgsl) => wgsl.replace(" + params.eps", "")],
      "gammas by the packed number": [
        "sentences of several lengths",
        (wgsl) => wgsl.replaceAll("gamma[d]", "gamma[i % (width - 1u)]"),
      ],
      "a shift that is forgotten": ["one row", (wgsl) => wgsl.replaceAll(" + beta[d]", "")],
      "numbers of the first round alone": [
        "one over a workgroup",
        (wgsl) =>
          wgsl.replace(
            "i < end; i += LANES) { sum += x[i]; }",
            "i < min(end, first + LANES); i += LANES) { sum += x[i]; }",
          ),
      ],
      "half of the lanes": [
        "one short of a workgroup",
        (wgsl) => wgsl.replace("stride = LANES / 2", "stride = LANES / 4"),
      ],
    },
  },
  refused: {
    "a shift of another width": [
      { B: 1, S: 1, D: 4 },
      (args) => {
        args.beta = f32([5], () => 0);
      },
      /beta must be f32\[D\] with D=4, got beta f32\[5\]/,
    ],
  },
});
