import type { Gpu } from "../../src/runtime/gpu.js";
import { USAGE } from "../../src/runtime/memory.js";
import type { Prepared, RunOptions } from "../../src/runtime/prepare.js";
import { profile } from "../../src/runtime/profile.js";
import { tensor, type TypedArray } from "../../src/runtime/tensor.js";

/** What was measured during one call. */
export interface Meter {
  /** "clock" measures whole steps on the device, "profile" each launch, one step after the other. */
  mode: "plain" | "clock" | "profile";
  launches: number;
  submits: number;
  /** Time that JavaScript took to encode and submit. */
  submitMs: number;
  /** Time until the call of `mapAsync` returned, which in Deno is when the device is done. */
  mapMs: number;
  inFlight: number;
  /** Number of steps that were submitted only after the previous report: the device waited for the host. */
  waits: number;
  stepUs: number[];
  kernelUs: Map<string, { us: number; launches: number }>[];
  /** Resolves when all profiled steps have run, including those that the call no longer waits for. */
  late: Promise<unknown>;
}

export const freshMeter = (mode: Meter["mode"]): Meter => ({
  mode,
  launches: 0,
  submits: 0,
  submitMs: 0,
  mapMs: 0,
  inFlight: 0,
  waits: 0,
  stepUs: [],
  kernelUs: [],
  late: Promise.resolve(),
});

/** A device that measures the plans of decoding steps; all other plans run as usual. */
export function metered(gpu: Gpu, meter: () => Meter): Gpu {
  return {
    ...gpu,
    async prepare(plan, progress) {
      const prepared = await gpu.prepare(plan, progress);
      if (plan.name !== "step" && plan.name !== "decoder") return prepared;
      const run = (options: RunOptions = {}): Promise<TypedArray[]> => {
        const now = meter();
        now.launches = plan.launches.length;
        if (now.mode === "profile") {
          const turn = now.late.then(() => profileStep(gpu, prepared, now, options));
          now.late = turn;
          return turn;
        }
        now.waits += Number(now.submits > 0 && now.inFlight === 0);
        now.submits++;
        now.inFlight++;
        const drive = now.mode === "plain" ? plainStep : clockStep;
        return drive(gpu, prepared, now, options).finally(() => now.inFlight--);
      };
      return { ...prepared, run };
    },
  };
}

type MeteredRun = (gpu: Gpu, prepared: Prepared, meter: Meter, options: RunOptions) => Promise<TypedArray[]>;

const plainStep: MeteredRun = (_, prepared, meter, options) => {
  const start = performance.now();
  let submitted = start;
  const values = prepared.run({ ...options, submitted: () => (submitted = performance.now()) });
  meter.submitMs += submitted - start;
  meter.mapMs += performance.now() - submitted;
  return values;
};

const clockStep: MeteredRun = async (gpu, prepared, meter, options) => {
  const querySet = gpu.device.createQuerySet({ type: "timestamp", count: 2 });
  const buffer = gpu.device.createBuffer({ size: 16, usage: USAGE.queryResolve | USAGE.copySource });
  const words = { tensor: tensor("timestamps", "u32", [4]), buffer, offset: 0 };
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  const running = prepared.run({ ...options, timestampWrites });
  const [times] = await gpu.submit((encoder) => encoder.resolveQuerySet(querySet, 0, 2, buffer, 0), [words]);
  const [begin, end] = new BigUint64Array(times.buffer);
  meter.stepUs.push(Number(end - begin) / 1e3);
  querySet.destroy();
  buffer.destroy();
  return running;
};

const profileStep: MeteredRun = async (gpu, prepared, meter, { read = [] }) => {
  const kernels: Meter["kernelUs"][number] = new Map();
  for (const { kernel, label, ms } of await profile(gpu, prepared)) {
    const name = kernel === label ? kernel : `${kernel} ${label.replace(/^decoder\.(layers\.\d+\.)?/, "")}`;
    const { us, launches: count } = kernels.get(name) ?? { us: 0, launches: 0 };
    kernels.set(name, { us: us + 1e3 * ms, launches: count + 1 });
  }
  meter.kernelUs.push(kernels);
  return gpu.submit(() => {}, read.map(prepared.locate));
};
