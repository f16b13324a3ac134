import type { Gpu } from "../../src/runtime/gpu.js";
import type { Kernel } from "../../src/runtime/kernel.js";
import { byTimestamps } from "../../src/runtime/profile.js";
import { randoms } from "../../tests/support/random.js";
import { type Args, f32, type Filled, type Launched, recordLaunch } from "../../tests/support/launch.js";
import { check } from "./check.js";
import { copy, fma } from "./roof_kernels.js";
import { LONGEST, spread, time } from "./time.js";

/** The roofs of the roofline model: the highest rates of this device, measured in the same run. */
export interface Roofs {
  /** Rates of plain copies by their bytes, read and written; small copies stay in a cache. */
  readonly copies: readonly { readonly bytes: number; readonly gb_s: number }[];
  readonly gflop_s: number;
  /** Time of a launch of one workgroup that does next to nothing. */
  readonly launch_us: number;
}

/** Microseconds at the roof: of the least traffic, and of the least arithmetic. The greater is the bound of a launch. */
export const roofTimes = (roofs: Roofs, { bytes, flops }: Readonly<Record<"bytes" | "flops", number>>) => ({
  moving: bytes / copyRate(roofs, bytes) / 1e3,
  computing: flops / roofs.gflop_s / 1e3,
});

/** The rate of a copy of as many bytes, in GB/s, interpolated between the measured sizes. */
export function copyRate({ copies }: Roofs, bytes: number): number {
  const above = copies.findIndex((point) => point.bytes >= bytes);
  if (above <= 0) return (above === 0 ? copies[0] : copies[copies.length - 1]).gb_s;
  const [low, high] = [copies[above - 1], copies[above]];
  const share = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low.gb_s * (high.gb_s / low.gb_s) ** share;
}

/** What tells how long launches take: the device, or the host by repeating them. */
export type Clock = "timestamps" | "wall clock";

/** The clock that there is on a device. */
export async function clockOf(gpu: Gpu): Promise<Clock> {
  const { launch, inputs, outputs } = recordLaunch(copy, { x: empty(4), y: empty(4) }, {});
  const prepared = await gpu.prepare({ name: "clock", launches: Array.from({ length: 4 }, () => launch) });
  const times = await byTimestamps(gpu, prepared);
  prepared.dispose();
  gpu.memory.free([...inputs.map(([t]) => t), ...outputs]);
  return times ? "timestamps" : "wall clock";
}

const empty = (N: number): Filled => ({ dtype: "f32", shape: [N], data: new Float32Array(N) });

/** Measures the roofs of a device. Throws the signal's reason when aborted. */
export async function measureRoofs(gpu: Gpu, signal?: AbortSignal): Promise<Roofs> {
  const run = async (kernel: Kernel, args: Args, small = args): Promise<[us: number, Launched]> => {
    const launched = recordLaunch(kernel, args, {});
    await check(gpu, recordLaunch(kernel, small, {}), "roof", 1e-4);
    const times = await time(gpu, launched, { signal });
    if (!times) throw new Error(`roof ${kernel.name}: a repeat takes more than ${LONGEST / 1e6} s`);
    return [spread(times).p10, launched]; // other work on the machine must not lower a roof
  };
  const random = randoms(7);
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

/** The roofs as text. */
export function describeRoofs({ copies, gflop_s, launch_us }: Roofs): string {
  const rates = copies.map(({ bytes, gb_s }) => `${gb_s.toFixed(1)} (${(bytes / 2 ** 20).toPrecision(2)} MiB)`);
  const [flops, empty] = [gflop_s.toFixed(1), launch_us.toFixed(1)];
  return `fma ${flops} GFLOP/s; copy ${rates.join(", ")} GB/s; a launch of one workgroup ${empty} us`;
}
