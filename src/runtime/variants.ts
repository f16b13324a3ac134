import type { Dims, Form, FormName, Kernel } from "./kernel.js";

/** How a launch runs: the text of one form and the values of its constants. */
export interface Choice {
  readonly name: FormName;
  readonly form: Form;
  /** Sizes, and over them the constants that the form or its tuning gives. */
  readonly dims: Dims;
}

/** A form and values of its constants, as `tune` found them fastest for launches of some size on some device. */
export interface Winner {
  readonly form: FormName;
  readonly constants: Dims;
}

/** Winners by the key of their launches. */
export type Winners = Readonly<Record<string, Winner>>;

/** What of a device decides the form of a launch. */
export interface DeviceClass {
  readonly software: boolean;
  /** Size of its subgroups, 0 where it varies or the feature is missing. */
  readonly subgroup: number;
  /** Its launches run in forms for GPUs where kernels have them. */
  readonly gpuForms: boolean;
  /** Forms that its shader compiler takes, in the order in which its class likes them; direct, which every kernel has, comes last. */
  readonly forms: readonly FormName[];
}

/** The class of a device; `forced` is the form that a caller prefers. */
export function deviceClass(software: boolean, subgroups: boolean, subgroup: number, forced?: FormName): DeviceClass {
  const all: readonly FormName[] = subgroups ? ["subgroup", "shared", "direct"] : ["shared", "direct"];
  const gpuForms = forced ? forced !== "direct" : !software;
  return { software, subgroup, gpuForms, forms: forced ? all.slice(Math.max(0, all.indexOf(forced))) : all };
}

/** Launches that share a winner: a kernel, its sizes with the number of rows rounded up to a power of two, its formats. */
export function tuningKey(kernel: Kernel, dims: Dims): string {
  const sizes = Object.entries(dims).flatMap(([name, value]) => {
    if (name === "N") return [`N<=${2 ** Math.ceil(Math.log2(Math.max(1, value)))}`];
    return /^[A-Z]$/.test(name) || name.endsWith("_FORMAT") ? [`${name}=${value}`] : [];
  });
  return [kernel.name, ...sizes.sort()].join(" ");
}

const fits = (kernel: Kernel, name: FormName, dims: Dims, { subgroup }: DeviceClass): boolean =>
  kernel.forms[name] !== undefined && kernel.forms[name].fits?.({ ...dims, SUBGROUP: subgroup }) !== false;

/** Every way to run a launch on such a device: what `tune` measures. */
export function candidates(kernel: Kernel, dims: Dims, device: DeviceClass): Winner[] {
  const all = { ...dims, SUBGROUP: device.subgroup };
  return device.forms
    .filter((name) => fits(kernel, name, dims, device))
    .flatMap((form) => (kernel.forms[form]?.variants?.(all) ?? [{}]).map((constants) => ({ form, constants })));
}

/** A launch in a given form. */
export function inForm(
  kernel: Kernel,
  dims: Dims,
  { form: name, constants }: Winner,
  { subgroup }: DeviceClass,
): Choice {
  const form = kernel.forms[name] ?? kernel.forms.direct;
  const own = form.constants?.({ ...dims, SUBGROUP: subgroup });
  return { name, form, dims: { ...dims, ...own, ...constants } };
}

/**
 * The winner of a launch, if the kernel still has it, else the first form for the device's class that fits the sizes. A form that
 * the caller forces (`forced`) needs not be for the class.
 */
export function chooseForm(
  kernel: Kernel,
  dims: Dims,
  device: DeviceClass,
  { forced = false, winners = {} }: { readonly forced?: boolean; readonly winners?: Winners } = {},
): Choice {
  const winner = winners[tuningKey(kernel, dims)];
  const same = ({ form, constants }: Winner): boolean =>
    form === winner.form && JSON.stringify(constants) === JSON.stringify(winner.constants);
  if (winner && candidates(kernel, dims, device).some(same)) return inForm(kernel, dims, winner, device);
  const suits = (name: FormName): boolean =>
    forced || name === "direct" || Boolean(kernel.forms[name]?.software) === device.software;
  const form = device.forms.find((name) => fits(kernel, name, dims, device) && suits(name)) ?? "direct";
  return inForm(kernel, dims, { form, constants: {} }, device);
}
