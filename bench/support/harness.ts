import { cpu } from "../../src/runtime/cpu.js";
import { type Gpu, gpu as openGpu, type GpuOptions } from "../../src/runtime/gpu.js";
import type { Kernel, Patterns } from "../../src/runtime/kernel.js";
import { record } from "../../src/runtime/plan.js";
import { profile } from "../../src/runtime/profile.js";
import { elements, prefix, type Tensor, tensor } from "../../src/runtime/tensor.js";
import { randoms, runtime } from "../../tests/support/harness.js";
import {
  type Args,
  f32,
  type Filled,
  firstFault,
  type Launched,
  recordLaunch,
  sizesOf,
} from "../../tests/support/launch.js";
import { copy, fma } from "./roofs.js";

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

/** Microseconds. */
export interface Spread {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

/** A row of the results. What is measured besides `us` depends on the bench. */
export interface Row {
  readonly bench: string;
  readonly shape: string;
  readonly us: Spread;
  readonly [measure: string]: unknown;
}

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
}

/** The roofs of the roofline model: the highest rates of this device, measured in the same run. */
export interface Roofs {
  /** Rates of plain copies by their bytes, read and written; small copies stay in a cache. */
  readonly copies: readonly { readonly bytes: number; readonly gb_s: number }[];
  readonly gflop_s: number;
  /** Time of a launch of one workgroup that does next to nothing. */
  readonly launch_us: number;
}

export interface Context {
  readonly gpu: Gpu;
  readonly roofs: Roofs;
  /** Keeps a row and prints its line. */
  report(row: Row, line: string): void;
  /** Reports that a shape is not measured, and why. */
  skip(bench: string, shape: string, why: string): void;
}

export interface Bench {
  readonly run: (context: Context) => Promise<void>;
}

/** Where the benches run. */
export interface Setting {
  readonly runtime: string;
  readonly adapter: string;
  /** The class of adapters for which variants are chosen. */
  readonly variants: string;
  readonly clock: "timestamps" | "wall clock";
  readonly roofs: Roofs;
}

export interface Results extends Setting {
  readonly rows: readonly Row[];
}

/** Called with everything that is measured, as it comes. */
export interface Watcher extends Pick<Context, "report" | "skip"> {
  begin(setting: Setting): void;
}

const LONGEST = 2e6; // us of one repeat
const CHEAP = 2e7; // flops that the reference computes in no time
const SAMPLING = 150e3; // us spent on the samples of one shape

/** Times a kernel at named shapes, after checking its output at each shape against the reference. */
export function benchKernel<R extends Patterns, W extends Patterns, P extends string, C extends string>(
  kernel: Kernel<R, W, P, C>,
  shapes: Readonly<Record<string, Size>>,
  build: Build<keyof R & string, keyof W & string>,
): Bench {
  const plain = kernel as unknown as Kernel;
  return {
    async run(context) {
      for (const [shape, size] of Object.entries(shapes)) {
        const row = await measureShape(context, plain, shape, size, build);
        if (row) context.report(row, line(row));
      }
    },
  };
}

async function measureShape(
  { gpu, roofs, skip }: Context,
  kernel: Kernel,
  shape: string,
  size: Size,
  build: Build<string, string>,
): Promise<KernelRow | undefined> {
  const launched = recordLaunch(kernel, build.args(size, randoms(7)), build.values(size));
  const { dims } = launched.launch;
  if (kernel.flops(dims) <= CHEAP) await check(gpu, launched, shape, build.tolerance);
  else {
    const cheap = { ...size, ...build.small };
    await check(gpu, recordLaunch(kernel, build.args(cheap, randoms(7)), build.values(cheap)), shape, build.tolerance);
  }
  const limit = gpu.device.limits.maxStorageBufferBindingSize;
  const large = launched.inputs.find(([, { data }]) => data.byteLength > limit);
  if (large) {
    const [{ name }, { data }] = large;
    return void skip(kernel.name, shape, `${name} needs ${data.byteLength} bytes, one binding holds ${limit}`);
  }
  const times = await time(gpu, launched, build.inPlace);
  if (!times) return void skip(kernel.name, shape, `one repeat takes more than ${LONGEST / 1e6} s`);
  const us = spread(times);
  const [bytes, flops] = [kernel.bytes(dims), kernel.flops(dims)];
  const moving = bytes / copyRate(roofs, bytes) / 1e3; // us at the roof
  const computing = flops / roofs.gflop_s / 1e3;
  return {
    bench: kernel.name,
    shape,
    us,
    sizes: Object.entries(dims)
      .filter(([key]) => key.length === 1)
      .map(([key, value]) => `${key}=${value}`)
      .join(" "),
    format: launched.inputs.find(([{ dtype }]) => dtype !== "f32" && dtype !== "u32")?.[0].dtype ?? "f32",
    ...(moving >= computing ? { gb_s: bytes / us.median / 1e3 } : { gflop_s: flops / us.median / 1e3 }),
    roof_percent: (100 * Math.max(moving, computing)) / us.median,
    variant: gpu.choose(kernel, dims).variant.name,
    samples: times.length,
  };
}

/** Throws when the results of the kernel and its reference differ. */
async function check(gpu: Gpu, { launch, inputs, outputs }: Launched, shape: string, tolerance: number): Promise<void> {
  const oracle = cpu();
  for (const [t, { data }] of inputs) {
    oracle.write(t, data);
    gpu.write(t, data);
  }
  oracle.launch(launch);
  const prepared = await gpu.prepare({ name: "check", launches: [launch] });
  const results = await prepared.run({ read: outputs });
  prepared.dispose();
  gpu.memory.forget([...inputs.map(([t]) => t), ...outputs]);
  outputs.forEach((t, output) => {
    const fault = firstFault(launch, t, results[output], oracle.read(t), tolerance);
    if (fault) throw new Error(`${launch.kernel.name}, ${shape}: not timed, ${fault} (${sizesOf(launch)})`);
  });
}

/** Microseconds of each repeat; undefined when one takes too long. */
async function time(gpu: Gpu, { launch, inputs, outputs }: Launched, inPlace = false): Promise<number[] | undefined> {
  for (const [t, { data }] of inputs) gpu.write(t, data);
  const changed = inPlace ? inputs.filter(([t]) => outputs.includes(t)) : [];
  const saved = changed.map(([t, { data }]) => {
    const original = tensor(`${t.name} as it was`, t.dtype, t.shape);
    gpu.write(original, data);
    return original;
  });
  const flat = (t: Tensor): Tensor => prefix(t, [elements(t)]);
  const { launches: restore } = record("restore", (run) => {
    saved.forEach((original, index) => run(copy, "restore", { x: flat(original), y: flat(changed[index][0]) }, {}));
  });
  const repeat = async (count: number): Promise<number[]> => {
    const launches = Array.from({ length: count }, () => [...restore, launch]).flat();
    const prepared = await gpu.prepare({ name: "repeats", launches });
    try {
      if (timestamps(gpu)) {
        const timings = await profile(gpu, prepared);
        return timings.filter((_, index) => launches[index] === launch).map(({ ms }) => 1e3 * ms);
      }
      const start = performance.now();
      await prepared.run({ read: [outputs[0]] });
      return [(1e3 * (performance.now() - start)) / count];
    } finally {
      prepared.dispose();
    }
  };
  try {
    const [first] = await repeat(1); // also compiles, on adapters that do so at the first launch
    const estimate = Math.min(...(await repeat(first > LONGEST / 4 ? 1 : 3)));
    if (estimate > LONGEST) return undefined;
    const count = Math.round(Math.min(200, Math.max(estimate > SAMPLING ? 3 : 7, SAMPLING / Math.max(estimate, 1))));
    if (timestamps(gpu)) return (await repeat(count + 2)).slice(2);
    const samples: number[] = [];
    while (samples.length < 7) samples.push(...(await repeat(Math.ceil(count / 7))));
    return samples;
  } finally {
    gpu.memory.free([...inputs.map(([t]) => t), ...outputs, ...saved]);
  }
}

export function timestamps(gpu: Gpu): boolean {
  return gpu.device.features.has("timestamp-query");
}

export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))];
  return { median: at(0.5), p10: at(0.1), p90: at(0.9) };
}

/** The rate of a copy of as many bytes, interpolated between the measured sizes. */
function copyRate({ copies }: Roofs, bytes: number): number {
  const above = copies.findIndex((point) => point.bytes >= bytes);
  if (above <= 0) return (above === 0 ? copies[0] : copies[copies.length - 1]).gb_s;
  const [low, high] = [copies[above - 1], copies[above]];
  const share = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low.gb_s * (high.gb_s / low.gb_s) ** share;
}

async function measureRoofs(gpu: Gpu): Promise<Roofs> {
  const run = async (kernel: Kernel, args: Args, small = args): Promise<[us: number, Launched]> => {
    const launched = recordLaunch(kernel, args, {});
    await check(gpu, recordLaunch(kernel, small, {}), "roof", 1e-4);
    const times = await time(gpu, launched);
    if (!times) throw new Error(`roof ${kernel.name}: a repeat takes more than ${LONGEST / 1e6} s`);
    return [spread(times).p10, launched]; // other work on the machine must not lower a roof
  };
  const random = randoms(7);
  const empty = (N: number): Filled => ({ dtype: "f32", shape: [N], data: new Float32Array(N) });
  const copies: Roofs["copies"][number][] = [];
  for (let N = 2 ** 11; N <= 2 ** 24; N *= 8) {
    const small = { x: f32([1000], random), y: empty(1000) };
    const [us, { launch }] = await run(copy, { x: f32([N], random), y: empty(N) }, small);
    copies.push({ bytes: copy.bytes(launch.dims), gb_s: copy.bytes(launch.dims) / us / 1e3 });
  }
  let gflop_s = 0;
  for (let N = 1024, last = 0; last < 2000; N *= 4) {
    const x = f32([8], (index) => (index < 4 ? 0.999 : 0.001));
    const [us, { launch }] = await run(fma, { x, y: empty(N) });
    gflop_s = Math.max(gflop_s, fma.flops(launch.dims) / us / 1e3);
    last = us;
  }
  const [launch_us] = await run(copy, { x: empty(4), y: empty(4) });
  return { copies, gflop_s, launch_us };
}

const COLUMNS =
  "kernel              shape                             sizes                                         " +
  "weights  median us          p10..p90              rate    roof  variant";

/** The numbers of a row as text. */
export function cells({ us, gb_s, gflop_s = 0, roof_percent }: KernelRow) {
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

/** The roofs as text. */
export function describeRoofs({ copies, gflop_s, launch_us }: Roofs): string {
  const rates = copies.map(({ bytes, gb_s }) => `${gb_s.toFixed(1)} (${(bytes / 2 ** 20).toPrecision(2)} MiB)`);
  const [flops, empty] = [gflop_s.toFixed(1), launch_us.toFixed(1)];
  return `fma ${flops} GFLOP/s; copy ${rates.join(", ")} GB/s; a launch of one workgroup ${empty} us`;
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

/** Runs benches on one device, reports each measured shape to the watcher, and returns all measurements. */
export async function runBenches(
  benches: readonly Bench[],
  options: Pick<GpuOptions, "adapter" | "features">,
  { begin, report, skip }: Watcher = printer,
): Promise<Results> {
  const gpu = await openGpu(options);
  const rows: Row[] = [];
  try {
    const setting: Setting = {
      runtime,
      adapter: gpu.info.description,
      variants: gpu.class.adapter + (gpu.class.features.has("subgroups") ? " with subgroups" : ""),
      clock: timestamps(gpu) ? "timestamps" : "wall clock",
      roofs: await measureRoofs(gpu),
    };
    begin(setting);
    const keep = (row: Row, text: string): void => {
      rows.push(row);
      report(row, text);
    };
    for (const bench of benches) await bench.run({ gpu, roofs: setting.roofs, report: keep, skip });
    return { ...setting, rows };
  } finally {
    gpu.dispose();
  }
}
