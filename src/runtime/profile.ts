import { DeviceError } from "./errors.js";
import type { Gpu } from "./gpu.js";
import { USAGE } from "./memory.js";
import type { Prepared } from "./prepare.js";

/** The time of one launch on the device, and the least work that it had to do (`bytes` and `flops` of its kernel). */
export interface Timing {
  readonly kernel: string;
  readonly label: string;
  /** Milliseconds between the timestamps of its pass. */
  readonly ms: number;
  readonly bytes: number;
  readonly flops: number;
}

/**
 * Runs a prepared plan with every launch in a timed pass of its own, which shows where time goes. The whole is slower
 * than a plain run. Throws DeviceError when the device has no timestamps.
 */
export async function profile(gpu: Gpu, prepared: Prepared): Promise<Timing[]> {
  const { device } = gpu;
  if (!device.features.has("timestamp-query"))
    throw new DeviceError("profile: the device must have the feature timestamp-query, it does not");
  const { launches } = prepared.plan;
  const times: bigint[] = [];
  const chunk = 2048; // a query set holds at most 4096 timestamps
  for (let first = 0; first < launches.length; first += chunk) {
    const count = Math.min(chunk, launches.length - first);
    const querySet = device.createQuerySet({ type: "timestamp", count: 2 * count });
    const resolved = device.createBuffer({ size: 16 * count, usage: USAGE.queryResolve | USAGE.copySource });
    const tensor = { name: "timestamps", dtype: "u32", shape: [4 * count], role: "state" } as const;
    const [words] = await gpu.submit(
      (encoder) => {
        for (let index = 0; index < count; index++) {
          const pass = encoder.beginComputePass({
            timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 },
          });
          prepared.encode(pass, first + index);
          pass.end();
        }
        encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
      },
      [{ tensor, buffer: resolved, offset: 0 }],
    );
    times.push(...new BigUint64Array(words.buffer));
    querySet.destroy();
    resolved.destroy();
  }
  return launches.map(({ kernel, label, dims }, index) => ({
    kernel: kernel.name,
    label,
    ms: Number(times[2 * index + 1] - times[2 * index]) / 1e6,
    bytes: kernel.bytes(dims),
    flops: kernel.flops(dims),
  }));
}
