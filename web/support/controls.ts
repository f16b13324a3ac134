import { el } from "./dom.js";

/** A labelled control: the label is visible, `hint` is read with it. */
export function field(label: string, control: HTMLElement, hint?: string): HTMLElement {
  return el("label", { class: "field", title: hint }, el("span", {}, label), control);
}

/** A number within bounds. */
export const numberInput = (
  value: number,
  { min, max, step = 1 }: { readonly min?: number; readonly max?: number; readonly step?: number | "any" } = {},
): HTMLInputElement => el("input", { type: "number", value, min, max, step, inputmode: "decimal" });

/** One of several values, each with its name. */
export const selectInput = (options: Readonly<Record<string, string>>, value: string): HTMLSelectElement =>
  el(
    "select",
    {},
    ...Object.entries(options).map(([key, name]) => el("option", { value: key, selected: key === value }, name)),
  );

export const textInput = (value: string, placeholder?: string): HTMLInputElement =>
  el("input", { type: "text", value, placeholder, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });

export const checkbox = (checked: boolean): HTMLInputElement => el("input", { type: "checkbox", checked });
