import { logitsProcess } from "../src/kernels/index.js";
import { packRules } from "../src/kernels/logits_process.js";
import { NO_ID } from "../src/kernels/constants.js";
import { benchKernel, noise, u32 } from "./support/harness.js";

// Repetition penalty and n-gram blocking on sentences of M/2 tokens; a beam search takes the log-softmax first.
export const bench = benchKernel(
  logitsProcess,
  {
    "g2p-en B=1 W=4": { B: 1, W: 4, V: 101, M: 48 },
    "g2p-en B=64 W=4": { B: 64, W: 4, V: 101, M: 48 },
    "marian-base B=1 W=4": { B: 1, W: 4, V: 58101, M: 64 },
    "marian-base B=32 W=4": { B: 32, W: 4, V: 58101, M: 64 },
    "gpt2 B=1 greedy": { B: 1, W: 1, V: 50257, M: 1024 },
  },
  {
    args: ({ B, W, V, M }, random) => {
      const R = B * W;
      const rules = packRules({ end: [0], suppress: [3], begin_suppress: [], banned: [[1, 2]] });
      const anyId = (): number => Math.floor((random() + 1) * 0.5 * V);
      return {
        rows: u32([R, 4], (i) => [anyId(), M / 2 - 1, Math.floor(i / 4 / W), 0][i % 4]),
        indirection: u32([2, R, M], (i) => Math.floor((Math.floor(i / M) % R) / W) * W),
        sentences: u32([B, 4 + 3 * W], (i) => [M / 2, 1, M, 0][i % (4 + 3 * W)] ?? 0),
        rules: u32([rules.length], (i) => rules[i]),
        history: u32([M, R], anyId),
        logits: noise("f32", [R, V], () => 8 * random()),
      };
    },
    values: ({ W }) => ({
      no_repeat_ngram_size: 3,
      min_new_tokens: 0,
      forced_bos: NO_ID,
      forced_eos: NO_ID,
      begin: 0,
      repetition_penalty: 1.2,
      presence_penalty: 0,
      LOG_SOFTMAX: Number(W > 1),
    }),
    tolerance: 1e-4,
    small: { V: 499 },
    inPlace: true,
  },
);
