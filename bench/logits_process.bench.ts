import { logitsProcess } from "../src/kernels/index.js";
import { args, values } from "../tests/logits_process.args.js";
import { benchKernel } from "./support/kernel_bench.js";

const rules = { ngram: 3, penalty: 1.2, usual: 1 };

// Repetition penalty and n-gram blocking on sentences of M/2 tokens; a beam search takes the log-softmax first.
export const bench = benchKernel(
  logitsProcess,
  {
    "g2p-en B=1 W=4": { ...rules, B: 1, W: 4, V: 101, M: 48, log: 1 },
    "g2p-en B=64 W=4": { ...rules, B: 64, W: 4, V: 101, M: 48, log: 1 },
    "marian-base B=1 W=4": { ...rules, B: 1, W: 4, V: 58101, M: 64, log: 1 },
    "marian-base B=32 W=4": { ...rules, B: 32, W: 4, V: 58101, M: 64, log: 1 },
    "whisper-tiny B=1 W=5": { B: 1, W: 5, V: 51865, M: 448, end: 50257, no_timestamps: 50363, log: 1 },
    "gpt2 B=1 greedy": { ...rules, B: 1, W: 1, V: 50257, M: 1024 },
  },
  { args, values, tolerance: 1e-4, small: { V: 499 }, inPlace: true },
);
