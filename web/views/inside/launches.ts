import { type Agreement, describePlan, type Gpu, type Plan, type Tensor, type Timing } from "../../../src/index.js";

/** A launch of a plan, and what is known of it. */
export interface Inspected {
  readonly index: number;
  readonly kernel: string;
  readonly label: string;
  readonly variant: string;
  /** Workgroups, as `8` or `65535 × 2`. */
  readonly groups: string;
  readonly bytes: number;
  readonly flops: number;
  /** Each argument with its tensor: `x h.0.ln_1.out f32[4,256]`. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** The best time so far, in microseconds. */
  us?: number;
  /** The largest |got - want| / max(1, |want|) of what it writes. */
  error?: number;
  /** The text that is compiled for it. */
  wgsl(): string;
}

/** The launches of a plan as they run on a device. */
export const inspect = (gpu: Gpu, plan: Plan): Inspected[] =>
  describePlan(gpu, plan).map((launch, index): Inspected => {
    const { kernel, label, variant, bytes, flops, groups, reads, writes } = launch;
    return {
      ...{ index, kernel, label, variant, bytes, flops },
      groups: groups.y > 1 ? `${groups.x} × ${groups.y}` : String(groups.x),
      reads: shownArguments(reads),
      writes: shownArguments(writes),
      wgsl: () => launch.wgsl,
    };
  });

const shownArguments = (given: Readonly<Record<string, Tensor>>): string[] =>
  Object.entries(given).map(
    ([argument, { name, dtype, shape }]) => `${argument} = ${name} ${dtype}[${shape.join(",")}]`,
  );

/** Keeps the best times. */
export function addTimings(inspected: readonly Inspected[], timings: readonly Timing[]): void {
  timings.forEach(({ ms }, index) => {
    const launch = inspected[index];
    launch.us = Math.min(launch.us ?? Infinity, 1e3 * ms);
  });
}

/** Keeps the worst of what a launch writes; returns the launch. */
export function addAgreement(inspected: readonly Inspected[], { launch, error }: Agreement): Inspected {
  const own = inspected[launch];
  own.error = Math.max(own.error ?? 0, error);
  return own;
}
