import type { Gpu } from "./gpu.js";
import { USAGE } from "./memory.js";
import type { Prepared } from "./prepare.js";

/** The time of one launch on the device, and the least work that it had to do (`bytes` and `flops` of its kernel). */
export interface Timing {
  /** The name of the kernel. */
  readonly kernel: string;
  /** What the launch is in the plan. */
  readonly label: string;
  /** Milliseconds between the timestamps of its pass; or of one of many repetitions, by the clock of the host. */
  readonly ms: number;
  /** The least that it must read and write. */
  readonly bytes: number;
  /** The least that it must compute. */
  readonly flops: number;
}

const CHUNK = 2048; // launches; a query set holds at most 4096 timestamps
const BATCH = 10; // ms that repetitions take together, at least, and more where the host hears late of their end
const MOST = 16384; // repetitions
const COARSE = [65_536n, 100_000n]; // ns: browsers round timestamps, so that a page does not learn too much

/**
 * Runs a prepared plan with every launch in a timed pass of its own, which shows where time goes. The whole is slower
 * than a plain run. Where the device has no timestamps, or coarse ones as in Chrome, each launch is repeated until the
 * clock of the host can tell its time: what a launch reads is then what it wrote before.
 *
 * @example
 * const model = await load("models/bert-pos");
 * const [sample] = await model.run((core) => samplePlans(core, 64));
 * sample.write();
 * const prepared = await model.gpu.prepare(sample.plan);
 * for (const { label, ms } of await profile(model.gpu, prepared)) console.log(label, ms);
 */
export async function profile(gpu: Gpu, prepared: Prepared): Promise<Timing[]> {
  const { launches } = prepared.plan;
  const times = (await byTimestamps(gpu, prepared)) ?? [];
  for (let index = times.length; index < launches.length; index++)
    times.push(await byRepetition(gpu, prepared, [index, index + 1]));
  return launches.map(({ kernel, label, dims }, index) => ({
    kernel: kernel.name,
    label,
    ms: times[index],
    bytes: kernel.bytes(dims),
    flops: kernel.flops(dims),
  }));
}

/** Milliseconds of each launch of a plan by timestamps; undefined where these are missing or coarse. */
export async function byTimestamps(gpu: Gpu, prepared: Prepared): Promise<number[] | undefined> {
  const { device } = gpu;
  if (!device.features.has("timestamp-query")) return undefined;
  const { launches } = prepared.plan;
  const times: bigint[] = [];
  for (let first = 0; first < launches.length; first += CHUNK) {
    const count = Math.min(CHUNK, launches.length - first);
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
  if (COARSE.some((step) => times.every((time) => time % step === 0n))) return undefined;
  return launches.map((_, index) => Number(times[2 * index + 1] - times[2 * index]) / 1e6);
}

/**
 * Milliseconds that a range of launches takes, by the host's clock: repeated until the clock can tell, in passes without
 * anything else.
 */
export async function byRepetition(
  gpu: Gpu,
  prepared: Prepared,
  [first, end]: readonly [number, number],
): Promise<number> {
  const batch = async (count: number): Promise<number> => {
    const start = performance.now();
    await gpu.submit((encoder) => {
      const pass = encoder.beginComputePass();
      for (let index = 0; index < count; index++)
        for (let launch = first; launch < end; launch++) prepared.encode(pass, launch);
      pass.end();
    }, []);
    await gpu.device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await batch(0);
  const overhead = Math.min(await batch(0), await batch(0)); // of a submit, and of hearing that it is done
  const enough = Math.max(BATCH, 5 * overhead);
  let [count, ms] = [1, (await batch(1)) - overhead];
  while (ms < enough && count < MOST) {
    count = Math.min(MOST, Math.ceil(count * Math.min(16, (1.5 * enough) / Math.max(ms, 1e-3))));
    ms = (await batch(count)) - overhead;
  }
  return Math.max(ms, 1e-3) / count;
}
