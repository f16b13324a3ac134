import type { KernelBench } from "../../../bench/support/kernel_bench.js";
import { measure, type Row, type Setting } from "../../../bench/support/measure.js";
import type { Gpu } from "../../../src/index.js";
import { browserName } from "./share.js";

/** Told of all that a run measures. */
export interface RunListener {
  begin(setting: Setting): void;
  add(row: Row): void;
  /** A shape that is not measured, or a kernel (no shape) that failed, and why. */
  remark(bench: string, shape: string, why: string): void;
  /** Where the run is: `done` of `shapes` are behind it. */
  progress(now: { readonly text: string; readonly done: number; readonly shapes: number }): void;
}

/** A page is drawn, and a stop heard, between tasks. */
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Measures kernels one after the other; one that fails does not end the others. Throws the signal's reason when aborted. */
export async function runBenches(
  gpu: Gpu,
  benches: readonly KernelBench[],
  { begin, add, remark, progress }: RunListener,
  signal: AbortSignal,
): Promise<void> {
  const shapes = benches.reduce((sum, bench) => sum + bench.shapes.length, 0);
  let [done, kernel] = [-1, 0];
  const guarded = benches.map((bench, index) => ({
    async run(context: Parameters<KernelBench["run"]>[0]) {
      kernel = index + 1;
      try {
        await bench.run(context);
      } catch (error) {
        signal.throwIfAborted();
        remark(bench.kernel, "", error instanceof Error ? error.message : String(error));
      }
      done = benches.slice(0, kernel).reduce((sum, { shapes: own }) => sum + own.length, 0) - 1;
    },
  }));
  progress({ text: "Measuring the roofs: a copy, and a chain of multiply-adds", done: 0, shapes });
  await breathe();
  const next = (bench: string, shape: string): Promise<void> => {
    progress({ text: `${bench}, ${shape}: kernel ${kernel} of ${benches.length}`, done: ++done, shapes });
    return breathe();
  };
  await measure(gpu, guarded, { runtime: browserName(navigator), signal }, { begin, next, report: add, skip: remark });
}
