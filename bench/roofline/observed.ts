import { FORMATS } from "../../src/kernels/formats.js";
import type { Kernel } from "../../src/runtime/kernel.js";
import type { KernelRow } from "../support/kernel_bench.js";
import type { DatedResults } from "../support/results.js";
import { roofTimes } from "../support/roofs.js";
import { type Figures, measuredFigures, type Observed } from "./devices.js";

/**
 * The figures of the device on which results were measured, with what launches take there: each is as near to the roofs
 * as the row of the same kernel, variant and format whose work is the nearest, and takes the time of a launch besides.
 * Weights come from memory, not from a cache: the bandwidth is that of the largest copy.
 */
export function resultFigures({ adapter, variants, vendor = "", subgroup = 0, roofs, rows }: DatedResults): Figures {
  const software = variants.startsWith("cpu");
  const features = new Set(variants.endsWith("with subgroups") ? ["subgroups"] : []);
  const adapterClass = software ? "cpu" : "gpu";
  const subgroups = { subgroup, subgroupMinSize: subgroup, matrices: [] };
  const own = { adapter: adapterClass, features, vendor, ...subgroups, unroll: !software } as const;
  const figures = measuredFigures(adapter, own, roofs, Infinity);
  const known = (rows as readonly KernelRow[]).filter(({ bytes }) => bytes > 0); // earlier results do not say
  const observed: Observed = ({ kernel, dims }, { variant }) => {
    const format = "WEIGHT_FORMAT" in dims ? FORMATS[dims.WEIGHT_FORMAT] : "f32";
    const work = { bytes: kernel.bytes(dims), flops: kernel.flops(dims) };
    const row = nearest(known, kernel, variant.name, format, work);
    if (!row) return undefined;
    const [moving, computing] = [work.bytes / figures.gb_s / 1e3, work.flops / figures.tflop_s / 1e6];
    const times = roofTimes(roofs, row);
    const share = Math.max(times.moving, times.computing) / Math.max(row.us.median - roofs.launch_us, 1e-3);
    const us = Math.max(moving, computing) / Math.min(1, share);
    const bound = moving >= computing ? "memory" : "arithmetic";
    return { us: roofs.launch_us + us, bound: us < roofs.launch_us ? "launch" : bound };
  };
  return { ...figures, observed };
}

type Work = Readonly<Record<"bytes" | "flops", number>>;

function nearest(
  rows: readonly KernelRow[],
  { name }: Kernel,
  variant: string,
  format: string,
  work: Work,
): KernelRow | undefined {
  const far = ({ bytes, flops }: Work): number => apart(bytes, work.bytes) + apart(flops, work.flops);
  const same = rows.filter((row) => row.bench === name && row.variant === variant && row.format === format);
  return same.length ? same.reduce((a, b) => (far(b) < far(a) ? b : a)) : undefined;
}

/** How many times as much one is as the other, as a logarithm. */
const apart = (a: number, b: number): number => Math.abs(Math.log((a + 1) / (b + 1)));
