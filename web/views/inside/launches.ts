import type { Agreement, Gpu, Launch, Plan, Tensor, Timing } from "../../../src/index.js";
import { gridOf } from "../../../src/runtime/launches.js";
import { codeOf, shaderOf, textOf } from "../../../src/runtime/pipelines.js";

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
export const inspect = (gpu: Gpu, { launches }: Plan): Inspected[] =>
  launches.map((launch, index): Inspected => {
    const { kernel, label, dims } = launch;
    const choice = gpu.choose(kernel, dims);
    const { x, y } = gridOf(choice, undefined, 1);
    return {
      index,
      kernel: kernel.name,
      label,
      variant: choice.variant.name,
      groups: y > 1 ? `${x} × ${y}` : String(x),
      bytes: kernel.bytes(dims),
      flops: kernel.flops(dims),
      reads: argumentsOf(launch, kernel.reads),
      writes: argumentsOf(launch, kernel.writes),
      wgsl: () => codeOf(kernel, choice, shaderOf(kernel, textOf(choice.variant, choice.dims))),
    };
  });

const argumentsOf = ({ tensors }: Launch, patterns: Readonly<Record<string, string>>): string[] =>
  Object.keys(patterns).flatMap((argument) => {
    const found = tensors[argument];
    return found ? [`${argument} = ${describeTensor(found)}`] : [];
  });

const describeTensor = ({ name, dtype, shape }: Tensor): string => `${name} ${dtype}[${shape.join(",")}]`;

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
