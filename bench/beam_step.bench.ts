import { EARLY_STOPPING } from "../src/kernels/beam_reference.js";
import { beamStep } from "../src/kernels/index.js";
import { args, values } from "../tests/beam_step.args.js";
import { benchKernel, type Size } from "./support/kernel_bench.js";

/** The middle of a search: sentences of M/2 tokens without finished hypotheses; the end id is among the candidates. */
const midway = (size: Size): Size => ({ ...size, length: size.M / 2, limit: size.M, alone: 1 });
const greedy = (size: Size): Size => midway({ ...size, W: 1, C: 1, stop: EARLY_STOPPING.true });

export const bench = benchKernel(
  beamStep,
  {
    "g2p-en B=1 greedy": greedy({ B: 1, V: 101, M: 48, G: 25 }),
    "g2p-en B=1 W=4": midway({ B: 1, W: 4, V: 101, M: 48, G: 3, C: 5 }),
    "g2p-en B=64 W=4": midway({ B: 64, W: 4, V: 101, M: 48, G: 2, C: 5 }),
    "marian-base B=1 W=4": midway({ B: 1, W: 4, V: 58101, M: 64, G: 128, C: 5 }),
    "marian-base B=32 W=4": midway({ B: 32, W: 4, V: 58101, M: 64, G: 4, C: 5 }),
    "gpt2 B=1 greedy": greedy({ B: 1, V: 50257, M: 1024, G: 512 }),
  },
  { args, values, tolerance: 1e-4, small: {}, inPlace: true },
);
