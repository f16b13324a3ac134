import type { Gpu } from "../../src/runtime/gpu.js";
import { type Clock, clockOf, measureRoofs, type Roofs } from "./roofs.js";
import type { Spread } from "./time.js";

/** A row of the results. What is measured besides `us` depends on the bench. */
export interface Row {
  readonly bench: string;
  readonly shape: string;
  readonly us: Spread;
  readonly [measure: string]: unknown;
}

/** What a bench runs with. */
export interface Context {
  readonly gpu: Gpu;
  readonly roofs: Roofs;
  readonly signal?: AbortSignal;
  /** Says which shape comes. */
  next?(bench: string, shape: string): void | Promise<void>;
  /** Keeps a row and prints its line. */
  report(row: Row, line: string): void;
  /** Reports that a shape is not measured, and why. */
  skip(bench: string, shape: string, why: string): void;
}

/** Something that is measured. */
export interface Bench {
  readonly run: (context: Context) => Promise<void>;
}

/** Where the benches run. */
export interface Setting {
  readonly runtime: string;
  readonly adapter: string;
  /** The class of adapters for which variants are chosen. */
  readonly variants: string;
  /** Who makes the adapter, as variants see it; empty where nobody says, absent in results of before. */
  readonly vendor?: string;
  /** Invocations of a subgroup; 0 where the number varies, or there are none. */
  readonly subgroup?: number;
  readonly clock: Clock;
  readonly roofs: Roofs;
}

/** All that was measured on one device. */
export interface Results extends Setting {
  readonly rows: readonly Row[];
}

/** Called with everything that is measured, as it comes. */
export interface Watcher extends Pick<Context, "report" | "skip"> {
  /** Called once the roofs are measured. */
  begin(setting: Setting): void;
  /** Called before each shape of a kernel; what it returns is awaited. */
  next?(bench: string, shape: string): void | Promise<void>;
}

/** What runs the benches, under which name, and until when. */
export interface MeasureOptions {
  readonly runtime: string;
  readonly signal?: AbortSignal;
}

/**
 * Runs benches on a device, reports each measured shape to the watcher, and returns all measurements. Throws the
 * signal's reason when aborted.
 */
export async function measure(
  gpu: Gpu,
  benches: readonly Bench[],
  { runtime, signal }: MeasureOptions,
  { begin, next, report, skip }: Watcher,
): Promise<Results> {
  const rows: Row[] = [];
  const setting: Setting = {
    runtime,
    adapter: gpu.info.description,
    variants: gpu.class.adapter + (gpu.class.features.has("subgroups") ? " with subgroups" : ""),
    vendor: gpu.class.vendor,
    subgroup: gpu.class.subgroup,
    clock: await clockOf(gpu),
    roofs: await measureRoofs(gpu, signal),
  };
  begin(setting);
  const keep = (row: Row, text: string): void => {
    rows.push(row);
    report(row, text);
  };
  for (const bench of benches) await bench.run({ gpu, roofs: setting.roofs, signal, next, report: keep, skip });
  return { ...setting, rows };
}
