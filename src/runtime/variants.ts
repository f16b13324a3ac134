import type { Dims, Kernel, Variant } from "./kernel.js";

/** CPU adapters compute on CPU cores (lavapipe, SwiftShader, WARP): what is fast there is not what is fast on a GPU. */
export type AdapterClass = "cpu" | "gpu";

/** What of a device decides the variant of a launch. */
export interface DeviceClass {
  readonly adapter: AdapterClass;
  /** Optional features that it has. */
  readonly features: ReadonlySet<string>;
  /** Invocations of a subgroup, 0 where that varies or the feature is missing. */
  readonly subgroup: number;
}

/** How a launch runs: a variant, and the values of its constants over the sizes. */
export interface Choice {
  readonly variant: Variant;
  readonly dims: Dims;
}

/** A variant and values of its constants: one way to run a launch that `tune` measures. */
export interface Tuned {
  readonly variant: string;
  readonly constants: Dims;
}

/** What was measured to be fastest, by the key of the launches. */
export type TunedChoices = Readonly<Record<string, Tuned>>;

/** Launches that share a tuned choice: a kernel, its sizes with the number of rows rounded up to a power of two, its formats. */
export function tuningKey(kernel: Kernel, dims: Dims): string {
  const sizes = Object.entries(dims).flatMap(([name, value]) => {
    if (name === "N") return [`N<=${2 ** Math.ceil(Math.log2(Math.max(1, value)))}`];
    return /^[A-Z]$/.test(name) || name.endsWith("_FORMAT") ? [`${name}=${value}`] : [];
  });
  return [kernel.name, ...sizes.sort()].join(" ");
}

/** Variants that can run a launch on such a device, preferred first. */
function possible({ variants }: Kernel, dims: Dims, { features, subgroup }: DeviceClass): Variant[] {
  const all = { ...dims, SUBGROUP: subgroup };
  return variants.filter(({ needs = [], fits }) => needs.every((name) => features.has(name)) && fits?.(all) !== false);
}

/** Every way to run a launch on such a device: what `tune` measures. */
export function candidates(kernel: Kernel, dims: Dims, device: DeviceClass): Tuned[] {
  const all = { ...dims, SUBGROUP: device.subgroup };
  return possible(kernel, dims, device).flatMap(({ name, tunings }) =>
    (tunings?.(all) ?? [{}]).map((constants) => ({ variant: name, constants })),
  );
}

/** A launch in a given variant, its constants as the sizes give them where `tuned` does not. */
export function asTuned(kernel: Kernel, dims: Dims, { variant: name, constants }: Tuned, device: DeviceClass): Choice {
  const variant = kernel.variants.find((one) => one.name === name);
  if (!variant) throw new Error(`${kernel.name}: has no variant ${name}`);
  return { variant, dims: { ...dims, ...variant.constants?.({ ...dims, SUBGROUP: device.subgroup }), ...constants } };
}

/**
 * The tuned choice for a launch, if the kernel still has it; else the first variant that is for the adapter's class and suits the
 * sizes; else the last of those that can run it.
 */
export function chooseVariant(kernel: Kernel, dims: Dims, device: DeviceClass, tuned: TunedChoices = {}): Choice {
  const known = tuned[tuningKey(kernel, dims)];
  const same = ({ variant, constants }: Tuned): boolean =>
    variant === known.variant && JSON.stringify(constants) === JSON.stringify(known.constants);
  if (known && candidates(kernel, dims, device).some(same)) return asTuned(kernel, dims, known, device);
  const all = possible(kernel, dims, device);
  const first = all.find((one) => (one.for ?? device.adapter) === device.adapter && one.suits?.(dims) !== false);
  const chosen = first ?? all[all.length - 1];
  return asTuned(kernel, dims, { variant: chosen.name, constants: {} }, device);
}
