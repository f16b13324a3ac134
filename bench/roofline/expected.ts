import type { Kernel } from "../../src/runtime/kernel.js";
import type { Launch, Plan } from "../../src/runtime/plan.js";
import { byteLength, owner } from "../../src/runtime/tensor.js";
import { type Choice, chooseVariant } from "../../src/runtime/variants.js";
import type { Bound, Figures } from "./devices.js";
import { speedOf } from "./speeds.js";

/** What a launch is expected to take. */
export interface Expected {
  readonly kernel: string;
  readonly label: string;
  readonly variant: string;
  /** The least that it must read and write, and compute. */
  readonly bytes: number;
  readonly flops: number;
  readonly us: number;
  readonly bound: Bound;
  /** The time of the least work at the roof, of the expected time. */
  readonly share: number;
}

/** The variant in which a launch runs on a device. */
export type ChooseVariant = (launch: Launch) => Choice;

/** The choice of a device on which nothing was tuned. */
export const untuned =
  (figures: Figures): ChooseVariant =>
  ({ kernel, dims }) =>
    chooseVariant(kernel, dims, figures.class);

/** What a launch is expected to take: as its like was observed on the device, or else by the speed of its variant. */
export function expectLaunch(launch: Launch, figures: Figures, choose = untuned(figures)): Expected {
  const { kernel, label, dims } = launch;
  const choice = choose(launch);
  const work = { bytes: kernel.bytes(dims), flops: kernel.flops(dims) };
  const { us, bound } = figures.observed?.(launch, choice) ?? timeOf(kernel, choice, work, figures);
  const { gb_s, tflop_s } = figures;
  const roof = Math.max(work.bytes / gb_s / 1e3, work.flops / tflop_s / 1e6);
  return { kernel: kernel.name, label, variant: choice.variant.name, ...work, us, bound, share: roof / us };
}

const WORKGROUP = 64; // invocations
const RESIDENT = 8; // invocations that a lane has in turn, so that one computes while others wait

/**
 * The time of a launch itself, and the longest of the least traffic at the share of the bandwidth that the variant
 * reaches, the least arithmetic at its share of the operations, as far as its workgroups fill the device, and the chain
 * of loads of which each waits for the last.
 */
function timeOf(
  { name }: Kernel,
  { variant, dims: d }: Choice,
  { bytes, flops }: Readonly<Record<"bytes" | "flops", number>>,
  figures: Figures,
): Pick<Expected, "us" | "bound"> {
  const { gb_s, tflop_s, lanes, launch_us, wait_us } = figures;
  const speed = speedOf(name, variant.name);
  const invocations = variant.groups(d) * (speed.lanes?.(d) ?? WORKGROUP);
  const filled = Math.min(1, invocations / lanes);
  const rounds = Math.max(1, invocations / (lanes * RESIDENT));
  const times: readonly (readonly [Bound, number])[] = [
    ["memory", bytes / (gb_s * speed.memory(d)) / 1e3],
    ["arithmetic", flops / (tflop_s * speed.arithmetic(d, figures) * filled) / 1e6],
    ["waits", speed.waits(d, figures) * wait_us * rounds],
  ];
  const [bound, longest] = times.reduce((a, b) => (b[1] > a[1] ? b : a));
  return { us: launch_us + longest, bound: longest < launch_us ? "launch" : bound };
}

/** What each launch of a plan is expected to take. */
export const expectPlan = ({ launches }: Plan, figures: Figures, choose = untuned(figures)): Expected[] =>
  launches.map((launch) => expectLaunch(launch, figures, choose));

/** Microseconds of a plan: of the device, or of the host where it takes longer to record. */
export function planTime(expected: readonly Expected[], { host_us }: Figures): { us: number; host: boolean } {
  const device = expected.reduce((sum, { us }) => sum + us, 0);
  const host = host_us * expected.length;
  return { us: Math.max(device, host), host: host > device };
}

/** Bytes of all tensors that a plan reads and writes. */
export function workingSet({ launches }: Plan): number {
  const used = new Set(launches.flatMap(({ tensors }) => Object.values(tensors).flatMap((t) => (t ? [owner(t)] : []))));
  return [...used].reduce((sum, t) => sum + byteLength(t), 0);
}

/** Launches of one kind, of all layers. */
export interface Group extends Omit<Expected, "label"> {
  /** Unique in a plan. */
  readonly key: string;
  /** Its place, with `*` for the layer. */
  readonly place: string;
  readonly count: number;
}

/** Sums up the layers: times, bytes and operations of launches that differ by their layer alone, the slowest first. */
export function byKind(expected: readonly Expected[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { label, ...one } of expected) {
    const place = label.replace(/\.\d+\./, ".*.");
    const key = `${one.kernel} ${one.variant} ${place}`;
    const { count = 0, us = 0, bytes = 0, flops = 0 } = groups.get(key) ?? {};
    const sum = { us: us + one.us, bytes: bytes + one.bytes, flops: flops + one.flops, count: count + 1 };
    groups.set(key, { ...one, ...sum, key, place });
  }
  return [...groups.values()].sort((a, b) => b.us - a.us);
}
