import { type Gpu, type Plan, profile as profileLaunches, type Timing } from "../index.js";
import { MODEL_OPTIONS } from "./options.js";
import { forEachPlan, rowsOf, rowsOption, withModel } from "./models.js";
import { print } from "./terminal.js";
import type { Verb } from "./verb.js";

/** `wgformer profile`: prints the time of each kind of launch on this device. */
export const profile: Verb = {
  usage: "MODEL",
  words: [1, 1],
  summary: "time the launches of a model on this device",
  details:
    "An encoder batch, a prompt and a decode step of the model are timed, each launch in a pass of its own, and the layers summed up. GB/s and GFLOP/s count the least work that the launches must do.",
  sections: { Options: { rows: rowsOption("Packed rows of each plan. Default 4,128."), ...MODEL_OPTIONS } },
  async run(call) {
    const rows = rowsOf(call.options.rows, [4, 128]);
    await withModel(call, async (model) => {
      await print(call.terminal, model.gpu.info.description);
      await forEachPlan(model, rows, async ({ plan }, title) => {
        call.terminal.signal.throwIfAborted();
        const timings = await bestTimings(model.gpu, plan);
        const total = timings.reduce((sum, { ms }) => sum + ms, 0);
        await print(call.terminal, `\n${title}: ${timings.length} launches, ${total.toFixed(3)} ms`);
        for (const line of table(timings, total)) await print(call.terminal, line);
      });
    });
  },
};

const ROUNDS = 5; // the first compiles

async function bestTimings(gpu: Gpu, plan: Plan): Promise<Timing[]> {
  const prepared = await gpu.prepare(plan);
  try {
    await profileLaunches(gpu, prepared);
    let best = await profileLaunches(gpu, prepared);
    for (let round = 2; round < ROUNDS; round++) {
      const again = await profileLaunches(gpu, prepared);
      best = best.map((timing, index) => (again[index].ms < timing.ms ? again[index] : timing));
    }
    return best;
  } finally {
    prepared.dispose();
  }
}

/** A line for each kind of launch, summed over the layers, the slowest first. */
function table(timings: readonly Timing[], total: number): string[] {
  const groups = new Map<string, { count: number; ms: number; bytes: number; flops: number }>();
  for (const { kernel, label, ms, bytes, flops } of timings) {
    const name = `${kernel.padEnd(20)} ${label.replace(/\.\d+\./, ".*.")}`;
    const sum = groups.get(name) ?? { count: 0, ms: 0, bytes: 0, flops: 0 };
    groups.set(name, {
      count: sum.count + 1,
      ms: sum.ms + ms,
      bytes: sum.bytes + bytes,
      flops: sum.flops + flops,
    });
  }
  const line = (...cells: (string | number)[]): string => cells.map((cell) => String(cell).padStart(9)).join("");
  const rate = (work: number, ms: number): string => (work / ms / 1e6).toFixed(1);
  const rows = [...groups].sort(([, a], [, b]) => b.ms - a.ms);
  return [
    `${line("ms", "%", "launches", "GB/s", "GFLOP/s")}  kernel               launch`,
    ...rows.map(([name, { count, ms, bytes, flops }]) => {
      const share = ((100 * ms) / total).toFixed(1);
      return `${line(ms.toFixed(3), share, count, rate(bytes, ms), rate(flops, ms))}  ${name}`;
    }),
  ];
}
