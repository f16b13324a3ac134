import type { Gpu } from "./gpu.js";
import { USAGE } from "./memory.js";
import type { Prepared } from "./prepare.js";

/** The time of one launch on the device, and the least work that it had to do (`bytes` and `flops` of its kernel). */
export interface Timing {
  /** The name of the kernel. */
  readonly kernel: string;
  /** What the launch is in the plan. */
  readonly label: string;
  /** Milliseconds between the timestamps of its pass; or of one of many repetitions in a pass. */
  readonly ms: number;
  /** The least that it must read and write. */
  readonly bytes: number;
  /** The least that it must compute. */
  readonly flops: number;
}

const CHUNK = 2048; // launches; a query set holds at most 4096 timestamps
const COARSE = [65_536n, 100_000n]; // ns: browsers round timestamps, so that a page does not learn too much

/**
 * Runs a prepared plan with every launch in a timed pass of its own, which shows where time goes. The whole is slower
 * than a plain run. Where the device has no timestamps, or coarse ones as in Chrome, each launch is repeated until a
 * clock can tell its time: what a launch reads is then what it wrote before.
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
    times.push((await byRepetition(gpu, (pass) => prepared.encode(pass, index))).ms);
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
  if (!hasTimestamps(gpu)) return undefined;
  const { length } = prepared.plan.launches;
  const spans: Span[] = [];
  for (let first = 0; first < length; first += CHUNK) {
    const count = Math.min(CHUNK, length - first);
    spans.push(...(await stamped(gpu, count, (pass, index) => prepared.encode(pass, first + index))));
  }
  return stepOf(spans) ? undefined : spans.map(msOf);
}

const hasTimestamps = ({ device }: Gpu): boolean => device.features.has("timestamp-query");

/** When a pass began and ended, in ns. */
type Span = readonly [begin: bigint, end: bigint];
const msOf = ([begin, end]: Span): number => Number(end - begin) / 1e6;

/** The ns in whose multiples timestamps come; undefined where they are fine. */
const stepOf = (spans: readonly Span[]): bigint | undefined =>
  COARSE.find((step) => spans.every((span) => span.every((time) => time % step === 0n)));

/** Times passes, which `encode` fills, at most 2048 of them. */
async function stamped(
  gpu: Gpu,
  passes: number,
  encode: (pass: GPUComputePassEncoder, index: number) => void,
): Promise<Span[]> {
  const { device } = gpu;
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * passes });
  const resolved = device.createBuffer({ size: 16 * passes, usage: USAGE.queryResolve | USAGE.copySource });
  const tensor = { name: "timestamps", dtype: "u32", shape: [4 * passes], role: "state" } as const;
  try {
    const [words] = await gpu.submit(
      (encoder) => {
        for (let index = 0; index < passes; index++) {
          const pass = encoder.beginComputePass({
            timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 },
          });
          encode(pass, index);
          pass.end();
        }
        encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0);
      },
      [{ tensor, buffer: resolved, offset: 0 }],
    );
    const times = new BigUint64Array(words.buffer);
    return Array.from({ length: passes }, (_, index): Span => [times[2 * index], times[2 * index + 1]]);
  } finally {
    querySet.destroy();
    resolved.destroy();
  }
}

/** A launch that was repeated in one pass. */
export interface Repetitions {
  readonly count: number;
  /** Milliseconds of one of them; 0 where no clock could tell. */
  readonly ms: number;
}

/** Encodes one repetition. */
type Encode = (pass: GPUComputePassEncoder) => void;

/** Milliseconds of so many repetitions, and how many are enough to be told from a mistake of the clock. */
type Stopwatch = (count: number) => Promise<{ readonly ms: number; readonly enough: number }>;

const MOST = 16384; // repetitions

/**
 * Repeats what `encode` encodes, in a pass without anything else: `from` times, then ever more, until the clock can
 * tell how long that took. The clock is that of the device, if it has one, else the host's.
 */
export async function byRepetition(gpu: Gpu, encode: Encode, from = 1): Promise<Repetitions> {
  const stopwatch = hasTimestamps(gpu) ? deviceClock(gpu, encode) : await hostClock(gpu, encode);
  for (let count = from; ;) {
    const { ms, enough } = await stopwatch(count);
    if (ms >= enough || count >= MOST) return { count, ms: Math.max(0, ms) / count };
    const needed = (1.2 * enough) / Math.max(ms, 1e-6);
    count = Math.min(MOST, Math.ceil(count * Math.min(16, Math.max(2, needed))));
  }
}

const repeat = (pass: GPUComputePassEncoder, encode: Encode, count: number): void => {
  for (let index = 0; index < count; index++) encode(pass);
};

const ENOUGH = 2; // ms by fine timestamps
const STEPS = 50; // of coarse timestamps, each of which may be one too early or late: 2 %

const deviceClock =
  (gpu: Gpu, encode: Encode): Stopwatch =>
  async (count) => {
    const spans = await stamped(gpu, 1, (pass) => repeat(pass, encode, count));
    return { ms: msOf(spans[0]), enough: Math.max(ENOUGH, (STEPS * Number(stepOf(spans) ?? 0n)) / 1e6) };
  };

const BATCH = 10; // ms by the host's clock, and more where the host hears late of the end

async function hostClock(gpu: Gpu, encode: Encode): Promise<Stopwatch> {
  const elapsed = async (count: number): Promise<number> => {
    const start = performance.now();
    await gpu.submit((encoder) => {
      const pass = encoder.beginComputePass();
      repeat(pass, encode, count);
      pass.end();
    }, []);
    await gpu.device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await elapsed(0);
  const overhead = Math.min(await elapsed(0), await elapsed(0)); // of a submit, and of hearing that it is done
  return async (count) => ({ ms: (await elapsed(count)) - overhead, enough: Math.max(BATCH, 5 * overhead) });
}
