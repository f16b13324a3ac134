import type { DeviceClass } from "../../src/runtime/device_class.js";
import type { Launch } from "../../src/runtime/plan.js";
import type { Choice } from "../../src/runtime/variants.js";
import { copyRate, type Roofs } from "../support/roofs.js";

/** What the speed of a device follows from. */
export interface Figures {
  readonly name: string;
  /** How variants are chosen on it. */
  readonly class: DeviceClass;
  /** Bytes of memory a second, in GB. */
  readonly gb_s: number;
  /** Floating-point operations a second in f32, in T; a fused multiply-add is two. */
  readonly tflop_s: number;
  /** Invocations that compute at the same time. */
  readonly lanes: number;
  /** Time from the end of a launch to the first work of the next one, which reads what it wrote. */
  readonly launch_us: number;
  /** Time until a load arrives that nothing hides: of the last cache or of memory. */
  readonly wait_us: number;
  /** Time in which the host records a launch, while the device computes. */
  readonly host_us: number;
  /** Where the numbers are from. */
  readonly source: string;
  /** What launches like these took on the device, where that was measured. */
  readonly observed?: Observed;
}

/** What a launch is expected to take by its like; undefined where nothing like it was measured. */
export type Observed = (launch: Launch, choice: Choice) => { readonly us: number; readonly bound: Bound } | undefined;

/** What bounds a launch: memory, arithmetic, loads that wait for one another, or the launch itself. */
export type Bound = "memory" | "arithmetic" | "waits" | "launch";

/** What vendors do not publish: latencies, as measured by others and rounded, and how Chrome gives their GPUs. */
const VENDORS = {
  amd: { launch_us: 4, wait_us: 0.3, subgroup: 0 }, // 32 or 64
  apple: { launch_us: 5, wait_us: 0.35, subgroup: 32 },
  intel: { launch_us: 6, wait_us: 0.4, subgroup: 8 },
  nvidia: { launch_us: 4, wait_us: 0.25, subgroup: 32 },
  qualcomm: { launch_us: 10, wait_us: 0.5, subgroup: 0 },
} as const;

/** A vendor in the table. */
export type Vendor = keyof typeof VENDORS;

const HOST_US = 7; // in Node, measured with a driver whose submits do nothing: 5.6 to 7.3

interface Published extends Pick<Figures, "name" | "gb_s" | "tflop_s" | "source"> {
  readonly vendor: Vendor;
  /** Default: as many as the operations need at 1.5 GHz. */
  readonly lanes?: number;
  readonly subgroups?: boolean;
}

/** Invocations that compute at the same time, as many as these operations need at 1.5 GHz. */
const lanesOf = (tflop_s: number): number => Math.round((tflop_s * 1e12) / 2 / 1.5e9);

/**
 * The figures of a device by its measured roofs: the bandwidth is that of a copy of as many `bytes`, so that what fits a
 * cache is read from there.
 */
export function measuredFigures(name: string, own: DeviceClass, roofs: Roofs, bytes: number): Figures {
  const software = own.adapter === "cpu";
  const tflop_s = roofs.gflop_s / 1e3;
  return {
    name,
    class: own,
    gb_s: Number(copyRate(roofs, bytes).toPrecision(3)),
    tflop_s: Number(tflop_s.toPrecision(3)),
    lanes: software ? 1 : lanesOf(tflop_s), // a core of a CPU takes one workgroup after the other
    launch_us: Number(roofs.launch_us.toPrecision(3)),
    wait_us: software ? 0 : VENDORS[findVendor(own.vendor) ?? "nvidia"].wait_us,
    host_us: HOST_US,
    source: "measured",
  };
}

/** The figures of a GPU of which bandwidth and arithmetic are known. */
export function figuresOf({ name, vendor, gb_s, tflop_s, lanes, subgroups = true, source }: Published): Figures {
  const { launch_us, wait_us, subgroup } = VENDORS[vendor];
  const features = new Set(["timestamp-query", ...(subgroups ? ["subgroups", "subgroup-size-control"] : [])]);
  return {
    name,
    class: {
      adapter: "gpu",
      features,
      vendor,
      subgroup: subgroups ? subgroup : 0,
      subgroupMinSize: subgroups ? subgroup : 0,
      subgroupSize: subgroups && vendor === "intel" ? subgroup : undefined, // what every shader asks for there
      matrices: [], // an experiment of Chrome's and Dawn's
      unroll: true,
    },
    gb_s,
    tflop_s,
    lanes: lanes ?? lanesOf(tflop_s),
    launch_us,
    wait_us,
    host_us: HOST_US,
    source,
  };
}

const APPLE = "Apple's newsroom (memory; M1 and M2: TFLOP/s), else 2 x lanes x clock";
const NVIDIA = "NVIDIA's specification of the card";
const AMD = "AMD's specification of the card, without dual issue (half of the published TFLOP/s on RDNA3)";
const INTEL = "Intel's specification: lanes x 2 x clock; memory as soldered or at most";

const TABLE: readonly Published[] = [
  { name: "M1", vendor: "apple", gb_s: 68.3, tflop_s: 2.6, lanes: 1024, source: APPLE },
  { name: "M1 Pro", vendor: "apple", gb_s: 200, tflop_s: 5.2, lanes: 2048, source: APPLE },
  { name: "M1 Max", vendor: "apple", gb_s: 400, tflop_s: 10.4, lanes: 4096, source: APPLE },
  { name: "M2", vendor: "apple", gb_s: 100, tflop_s: 3.6, lanes: 1280, source: APPLE },
  { name: "M2 Pro", vendor: "apple", gb_s: 200, tflop_s: 6.8, lanes: 2432, source: APPLE },
  { name: "M2 Max", vendor: "apple", gb_s: 400, tflop_s: 13.6, lanes: 4864, source: APPLE },
  { name: "M3", vendor: "apple", gb_s: 100, tflop_s: 3.6, lanes: 1280, source: APPLE },
  { name: "M4", vendor: "apple", gb_s: 120, tflop_s: 3.8, lanes: 1280, source: APPLE },
  { name: "M4 Pro", vendor: "apple", gb_s: 273, tflop_s: 7.5, lanes: 2560, source: APPLE },
  { name: "M4 Max", vendor: "apple", gb_s: 546, tflop_s: 15, lanes: 5120, source: APPLE },
  { name: "Tesla T4", vendor: "nvidia", gb_s: 320, tflop_s: 8.1, lanes: 2560, source: NVIDIA },
  { name: "RTX 3060", vendor: "nvidia", gb_s: 360, tflop_s: 12.7, lanes: 3584, source: NVIDIA },
  { name: "RTX 4070", vendor: "nvidia", gb_s: 504, tflop_s: 29.1, lanes: 5888, source: NVIDIA },
  { name: "RTX 4090", vendor: "nvidia", gb_s: 1008, tflop_s: 82.6, lanes: 16384, source: NVIDIA },
  { name: "H100", vendor: "nvidia", gb_s: 3350, tflop_s: 67, lanes: 16896, source: NVIDIA },
  { name: "RX 6800", vendor: "amd", gb_s: 512, tflop_s: 16.2, lanes: 3840, source: AMD },
  { name: "RX 7900 XT", vendor: "amd", gb_s: 800, tflop_s: 25.8, lanes: 5376, source: AMD },
  { name: "RX 7900 XTX", vendor: "amd", gb_s: 960, tflop_s: 30.7, lanes: 6144, source: AMD },
  { name: "Radeon 780M", vendor: "amd", gb_s: 89.6, tflop_s: 4.1, lanes: 768, source: AMD },
  { name: "Arc A770", vendor: "intel", gb_s: 560, tflop_s: 17.2, lanes: 4096, source: INTEL },
  { name: "Arc B580", vendor: "intel", gb_s: 456, tflop_s: 13.7, lanes: 2560, source: INTEL },
  { name: "Arc 140V", vendor: "intel", gb_s: 136.5, tflop_s: 4, lanes: 1024, source: INTEL },
  { name: "Iris Xe", vendor: "intel", gb_s: 68.3, tflop_s: 2.1, lanes: 768, source: INTEL },
  { name: "UHD 630", vendor: "intel", gb_s: 41.6, tflop_s: 0.46, lanes: 192, subgroups: false, source: INTEL },
  { name: "UHD 620", vendor: "intel", gb_s: 34.1, tflop_s: 0.42, lanes: 192, subgroups: false, source: INTEL },
  {
    name: "Adreno 740",
    vendor: "qualcomm",
    gb_s: 67,
    tflop_s: 2.1,
    lanes: 1536,
    source: "others' measurements: Qualcomm publishes neither",
  },
];

/** Names of the devices in the table. */
export const DEVICES: readonly string[] = TABLE.map(({ name }) => name);

/** The figures of the device whose name this is, or ends with it, in any case; undefined when none is. */
export function findDevice(text: string): Figures | undefined {
  const plain = (name: string): string =>
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, " ")
      .trim();
  const wanted = plain(text);
  const found = TABLE.filter(({ name }) => ` ${wanted}`.endsWith(` ${plain(name)}`));
  return found.length ? figuresOf(found.reduce((a, b) => (b.name.length > a.name.length ? b : a))) : undefined;
}

/** A vendor by its name in any case; undefined when it is not in the table. */
export const findVendor = (text: string): Vendor | undefined =>
  (Object.keys(VENDORS) as Vendor[]).find((name) => name === text.toLowerCase());
