import type { Kernel, Patterns } from "../../src/runtime/kernel.js";
import { randoms } from "../../tests/support/random.js";
import { type Filled, recordLaunch } from "../../tests/support/launch.js";
import { check } from "./check.js";
import type { Bench, Context, Row } from "./measure.js";
import { roofTimes } from "./roofs.js";
import { LONGEST, spread, time } from "./time.js";

export type Size = Readonly<Record<string, number>>;

/** What a kernel is measured with: how its arguments follow from the sizes of a shape. */
export interface Build<R extends string, W extends string> {
  args(size: Size, random: () => number): Partial<Record<R | W, Filled | undefined>>;
  values(size: Size): Readonly<Record<string, number>>;
  /** Most of |got - want| / (1 + |want|) for f32; integers must be equal. */
  readonly tolerance: number;
  /** Sizes that make a shape cheap for the reference, but keep its variant. */
  readonly small: Size;
  /** Whether a launch changes its own input, which is restored before each repeat. */
  readonly inPlace?: boolean;
}

/** A row of a kernel's results. */
export interface KernelRow extends Row {
  readonly sizes: string;
  readonly format: string;
  /** The rate of the resource that limits the kernel, by the roofs. */
  readonly gb_s?: number;
  readonly gflop_s?: number;
  /** The time that the least traffic or arithmetic takes at the roof, divided by the measured time. */
  readonly roof_percent: number;
  readonly variant: string;
  readonly samples: number;
  /** The least traffic and arithmetic of a launch. */
  readonly bytes: number;
  readonly flops: number;
  /** What agreed with the reference before the launch was timed. */
  readonly match: {
    readonly numbers: number;
    readonly tolerance: number;
    /** The sizes at which it was compared, where its own are too many for the reference. */
    readonly sizes?: string;
  };
}

/** A bench of one kernel, at shapes by their names. */
export interface KernelBench extends Bench {
  readonly kernel: string;
  readonly shapes: readonly string[];
  /** The same at some of its shapes. */
  at(shapes: readonly string[]): KernelBench;
}

const CHEAP = 2e7; // flops that the reference computes in no time

/** Times a kernel at named shapes, after checking its output at each shape against the reference. */
export function benchKernel<R extends Patterns, W extends Patterns, P extends string, C extends string>(
  kernel: Kernel<R, W, P, C>,
  shapes: Readonly<Record<string, Size>>,
  build: Build<keyof R & string, keyof W & string>,
): KernelBench {
  const plain = kernel as unknown as Kernel;
  return {
    kernel: kernel.name,
    shapes: Object.keys(shapes),
    at: (names) =>
      benchKernel(kernel, Object.fromEntries(Object.entries(shapes).filter(([name]) => names.includes(name))), build),
    async run(context) {
      for (const [shape, size] of Object.entries(shapes)) {
        context.signal?.throwIfAborted();
        await context.next?.(kernel.name, shape);
        const row = await measureShape(context, plain, shape, size, build);
        if (row) context.report(row, line(row));
      }
    },
  };
}

async function measureShape(
  { gpu, roofs, skip, signal }: Context,
  kernel: Kernel,
  shape: string,
  size: Size,
  build: Build<string, string>,
): Promise<KernelRow | undefined> {
  const argumentsOf = (sizes: Size) => [build.args(sizes, randoms(7)), build.values(sizes)] as const;
  const launched = recordLaunch(kernel, ...argumentsOf(size));
  const { dims } = launched.launch;
  const cheap =
    kernel.flops(dims) <= CHEAP ? launched : recordLaunch(kernel, ...argumentsOf({ ...size, ...build.small }));
  const numbers = await check(gpu, cheap, shape, build.tolerance);
  const limit = gpu.device.limits.maxStorageBufferBindingSize;
  const large = launched.inputs.find(([, { data }]) => data.byteLength > limit);
  if (large) {
    const [{ name }, { data }] = large;
    return void skip(kernel.name, shape, `${name} needs ${data.byteLength} bytes, one binding holds ${limit}`);
  }
  const times = await time(gpu, launched, { inPlace: build.inPlace, signal });
  if (!times) return void skip(kernel.name, shape, `one repeat takes more than ${LONGEST / 1e6} s`);
  const us = spread(times);
  const work = { bytes: kernel.bytes(dims), flops: kernel.flops(dims) };
  const { moving, computing } = roofTimes(roofs, work);
  return {
    bench: kernel.name,
    shape,
    us,
    sizes: lettersOf(dims),
    format: launched.inputs.find(([{ dtype }]) => dtype !== "f32" && dtype !== "u32")?.[0].dtype ?? "f32",
    ...(moving >= computing ? { gb_s: work.bytes / us.median / 1e3 } : { gflop_s: work.flops / us.median / 1e3 }),
    roof_percent: (100 * Math.max(moving, computing)) / us.median,
    variant: gpu.choose(kernel, dims).variant.name,
    samples: times.length,
    ...work,
    match: {
      numbers,
      tolerance: build.tolerance,
      ...(cheap !== launched && { sizes: lettersOf(cheap.launch.dims) }),
    },
  };
}

const lettersOf = (dims: Size): string =>
  Object.entries(dims)
    .filter(([key]) => key.length === 1)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");

/** The titles of the columns of a printed row. */
export const COLUMNS =
  "kernel              shape                             sizes                                         " +
  "weights  median us          p10..p90              rate    roof  variant";

function cells({ us, gb_s, gflop_s = 0, roof_percent }: KernelRow) {
  return {
    median: us.median.toFixed(1),
    range: `${us.p10.toFixed(1)}..${us.p90.toFixed(1)}`,
    rate: gb_s === undefined ? `${gflop_s.toFixed(2)} GFLOP/s` : `${gb_s.toFixed(2)} GB/s`,
    roof: `${roof_percent.toFixed(0)} %`,
  };
}

function line(row: KernelRow): string {
  const { median, range, rate, roof } = cells(row);
  return [
    row.bench.padEnd(20),
    row.shape.padEnd(34),
    row.sizes.padEnd(46),
    row.format.padEnd(7),
    median.padStart(11),
    range.padStart(21),
    rate.padStart(18),
    roof.padStart(8),
    `  ${row.variant}`,
  ].join("");
}
