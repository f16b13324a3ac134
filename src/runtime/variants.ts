import type { DeviceClass } from "./device_class.js";
import type { Dims, Kernel, Variant } from "./kernel.js";

/** How a launch runs: a variant, and all sizes, scalars and constants. */
export interface Choice {
  /** The variant. */
  readonly variant: Variant;
  /** The sizes of the launch with the constants of the variant. */
  readonly dims: Dims;
}

/**
 * One way to run a launch, as `tune` measures and stores it: the name of a variant, and the values of its constants.
 */
export interface TunedChoice {
  /** The name of the variant. */
  readonly variant: string;
  /** Values of its constants. */
  readonly constants: Dims;
}

/** The fastest choices, by the kind of launch (`tuningKey`). */
export type TunedChoices = Readonly<Record<string, TunedChoice>>;

/**
 * The kind of a launch, for which `tune` finds one choice: its kernel, its formats, and its sizes, of which N is
 * rounded up to a power of two.
 *
 * @example
 * const x = tensor("x", "f32", [20, 8]);
 * const gamma = tensor("gamma", "f32", [8]);
 * const { launches } = record("norm", (run) => void run(layernormResidual, "norm", { x, gamma }, { eps: 1e-5 }));
 * console.log(tuningKey(launches[0].kernel, launches[0].dims)); // layernorm_residual D=8 N<=32
 */
export function tuningKey(kernel: Kernel, dims: Dims): string {
  const sizes = Object.entries(dims).flatMap(([name, value]) => {
    if (name === "N") return [`N<=${2 ** Math.ceil(Math.log2(Math.max(1, value)))}`];
    return /^[A-Z]$/.test(name) || name.endsWith("_FORMAT") ? [`${name}=${value}`] : [];
  });
  return [kernel.name, ...sizes.sort()].join(" ");
}

/**
 * The variants that can run a launch on such a device, in order of preference: those that it has not refused, unless it
 * refused them all.
 */
function possible({ variants }: Kernel, dims: Dims, device: DeviceClass): Variant[] {
  const { features, refused } = device;
  const able = variants.filter(
    ({ needs = [], fits }) => needs.every((name) => features.has(name)) && fits?.(dims, device) !== false,
  );
  const left = able.filter((one) => !refused?.has(one));
  return left.length ? left : able;
}

/** All ways to run a launch on such a device. */
export function candidates(kernel: Kernel, dims: Dims, device: DeviceClass): TunedChoice[] {
  return possible(kernel, dims, device).flatMap(({ name, tunings }) =>
    (tunings?.(dims, device) ?? [{}]).map((constants) => ({ variant: name, constants })),
  );
}

/**
 * How a launch runs by a tuned choice; constants that it leaves out follow from the sizes. Throws Error for an unknown
 * variant.
 */
export function choiceOf(
  kernel: Kernel,
  dims: Dims,
  { variant: name, constants }: TunedChoice,
  device: DeviceClass,
): Choice {
  const variant = kernel.variants.find((one) => one.name === name);
  if (!variant) throw new Error(`${kernel.name}: has no variant ${name}`);
  return {
    variant,
    dims: { ...dims, UNROLL: Number(device.unroll), ...variant.constants?.(dims, device), ...constants },
  };
}

/**
 * Chooses how a launch runs: as tuned, if the kernel still has that choice; or else in the first variant that is for
 * the adapter's class and suits the sizes; or else in the last one that can run it.
 */
export function chooseVariant(kernel: Kernel, dims: Dims, device: DeviceClass, tuned: TunedChoices = {}): Choice {
  const known = tuned[tuningKey(kernel, dims)];
  const same = ({ variant, constants }: TunedChoice): boolean =>
    variant === known.variant && JSON.stringify(constants) === JSON.stringify(known.constants);
  if (known && candidates(kernel, dims, device).some(same)) return choiceOf(kernel, dims, known, device);
  const all = possible(kernel, dims, device);
  const first = all.find(
    (one) => (one.for ?? device.adapter) === device.adapter && one.suits?.(dims, device) !== false,
  );
  const chosen = first ?? all[all.length - 1];
  return choiceOf(kernel, dims, { variant: chosen.name, constants: {} }, device);
}
