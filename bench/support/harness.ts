import { type Gpu, gpu as openGpu, type GpuOptions } from "../../src/runtime/gpu.js";
import { runtime } from "../../tests/support/harness.js";
import { COLUMNS } from "./kernel_bench.js";
import { type Bench, measure, type Results, type Watcher } from "./measure.js";
import { describeRoofs } from "./roofs.js";

/** Whether the device measures time. */
export function timestamps(gpu: Gpu): boolean {
  return gpu.device.features.has("timestamp-query");
}

const printer: Watcher = {
  begin({ runtime, adapter, clock, variants, roofs }) {
    console.log(
      `${runtime} on ${adapter}, ${clock}, variants for a ${variants}\nroofs: ${describeRoofs(roofs)}\n\n${COLUMNS}`,
    );
  },
  report: (_, text) => console.log(text),
  skip: (bench, shape, why) => console.log(`${bench.padEnd(20)}${shape.padEnd(34)}skipped: ${why}`),
};

/** Runs benches on a device of their own, and prints each measured shape. */
export async function runBenches(
  benches: readonly Bench[],
  options: Pick<GpuOptions, "adapter" | "features">,
): Promise<Results> {
  const gpu = await openGpu(options);
  try {
    return await measure(gpu, benches, { runtime }, printer);
  } finally {
    gpu.dispose();
  }
}
