import type { Dims, Form, FormName, Kernel } from "./kernel.js";

/** How a launch runs: the text of one form and the values of its constants. */
export interface Choice {
  readonly name: FormName;
  readonly form: Form;
  /** Sizes, and over them the constants that the form or its tuning gives. */
  readonly dims: Dims;
}

/** A form and values of its constants that were the fastest for some sizes on some device. */
export interface Winner {
  readonly form: FormName;
  readonly constants: Dims;
}

/** Forms in the order in which an adapter's class likes them; direct, which every kernel has, comes last. */
export function formOrder(software: boolean, subgroups: boolean, forced?: FormName): readonly FormName[] {
  if (forced === "direct" || (software && !forced)) return ["direct"];
  return subgroups && forced !== "shared" ? ["subgroup", "shared", "direct"] : ["shared", "direct"];
}

/** The tuned form of a launch, else the first of `order` that the kernel has and that fits the sizes. */
export function chooseForm(kernel: Kernel, dims: Dims, order: readonly FormName[], tuned?: Winner): Choice {
  const fits = (name: FormName): boolean => kernel.forms[name] !== undefined && kernel.forms[name].fits?.(dims) !== false;
  const name = tuned?.form ?? order.find(fits) ?? "direct";
  const form = kernel.forms[name] ?? kernel.forms.direct;
  return { name, form, dims: { ...dims, ...form.constants?.(dims), ...tuned?.constants } };
}

/** Every way to run a launch on a device of these forms: what `tune` measures. */
export function candidates(kernel: Kernel, dims: Dims, order: readonly FormName[]): Winner[] {
  return order.flatMap((name) => {
    const form = kernel.forms[name];
    if (!form || form.fits?.(dims) === false) return [];
    return (form.variants?.(dims) ?? [{}]).map((constants) => ({ form: name, constants }));
  });
}
