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

/** Forms in the order in which an adapter's class likes them; direct, which every kernel has, comes last. */
export function formOrder(software: boolean, subgroups: boolean, forced?: FormName): readonly FormName[] {
  if (forced === "direct" || (software && !forced)) return ["direct"];
  return subgroups && forced !== "shared" ? ["subgroup", "shared", "direct"] : ["shared", "direct"];
}

/** Launches that share a winner: a kernel, its sizes with the number of rows rounded up to a power of two, its formats. */
export function tuningKey(kernel: Kernel, dims: Dims): string {
  const sizes = Object.entries(dims).flatMap(([name, value]) => {
    if (name === "N") return [`N<=${2 ** Math.ceil(Math.log2(Math.max(1, value)))}`];
    return /^[A-Z]$/.test(name) || name.endsWith("_FORMAT") ? [`${name}=${value}`] : [];
  });
  return [kernel.name, ...sizes.sort()].join(" ");
}

const fits = (kernel: Kernel, name: FormName, dims: Dims): boolean =>
  kernel.forms[name] !== undefined && kernel.forms[name].fits?.(dims) !== false;

/** Every way to run a launch in these forms: what `tune` measures. */
export function candidates(kernel: Kernel, dims: Dims, order: readonly FormName[]): Winner[] {
  return order
    .filter((name) => fits(kernel, name, dims))
    .flatMap((form) => (kernel.forms[form]?.variants?.(dims) ?? [{}]).map((constants) => ({ form, constants })));
}

/** A launch in a given form. */
export function inForm(kernel: Kernel, dims: Dims, { form: name, constants }: Winner): Choice {
  const form = kernel.forms[name] ?? kernel.forms.direct;
  return { name, form, dims: { ...dims, ...form.constants?.(dims), ...constants } };
}

/** The winner of a launch, if the kernel still has it, else the first form of `order` that the kernel has and that fits the sizes. */
export function chooseForm(kernel: Kernel, dims: Dims, order: readonly FormName[], winners: Winners = {}): Choice {
  const winner = winners[tuningKey(kernel, dims)];
  const same = ({ form, constants }: Winner): boolean =>
    form === winner.form && JSON.stringify(constants) === JSON.stringify(winner.constants);
  if (winner && candidates(kernel, dims, [winner.form]).some(same)) return inForm(kernel, dims, winner);
  return inForm(kernel, dims, { form: order.find((name) => fits(kernel, name, dims)) ?? "direct", constants: {} });
}
