import { load } from "../src/index.js";
import type { Model } from "../src/model/model.js";
import { folder, randoms } from "../tests/support/harness.js";
import type { Bench } from "./support/measure.js";
import { spread } from "./support/time.js";

const LENGTHS = [3, 12, 5, 9, 1, 7, 11, 4, 8, 2, 10, 6, 12, 3, 5, 9];
const NEW_TOKENS = 32;
const SAMPLES = 5;

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** gpt2-brown, greedy: 16 prompts of different lengths in one batch, and the same prompts one after the other. */
export const bench: Bench = {
  async run({ gpu, report }) {
    const model: Model = await load(folder("models/gpt2-brown"), { gpu });
    const random = randoms(1);
    const prompts = LENGTHS.map((length) => Array.from({ length }, () => 1 + Math.floor(((random() + 1) / 2) * 4000)));
    const options = { max_new_tokens: NEW_TOKENS, min_new_tokens: NEW_TOKENS };
    const together = () => model.generate({ input_ids: prompts }, options);
    const alone = async () => {
      const rows = [];
      for (const prompt of prompts) rows.push(await model.generate({ input_ids: [prompt] }, options));
      return rows;
    };
    try {
      const [batch, solo] = [await together(), await alone()]; // they also compile
      const width = Math.max(...LENGTHS);
      solo.forEach(({ sequences: [row] }, b) => {
        if (String(row) !== String(batch.sequences[b].slice(width - LENGTHS[b])))
          throw new Error(`ragged: not timed, row ${b} differs from the row alone`);
      });
      const [batchMs, soloMs]: [number[], number[]] = [[], []];
      for (let sample = 0; sample < SAMPLES; sample++) {
        batchMs.push(await time(together));
        soloMs.push(await time(alone));
      }
      const [us, alone_us] = [spread(batchMs.map((ms) => 1e3 * ms)), spread(soloMs.map((ms) => 1e3 * ms))];
      const tokens = prompts.length * NEW_TOKENS;
      const rate = (all: number): string => ((1e6 * tokens) / all).toFixed(0);
      report(
        {
          bench: "ragged",
          shape: "gpt2-brown 16 prompts",
          us,
          alone_us: alone_us.median,
          ratio: alone_us.median / us.median,
        },
        `ragged   gpt2-brown, 16 prompts of ${Math.min(...LENGTHS)} to ${width} tokens, ${NEW_TOKENS} new each: together ` +
          `${rate(us.median)} tokens/s, one by one ${rate(alone_us.median)} tokens/s, ratio ${(alone_us.median / us.median).toFixed(2)}`,
      );
    } finally {
      model.dispose();
    }
  },
};
