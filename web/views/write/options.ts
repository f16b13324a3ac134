import type { GenerateOptions } from "../../../src/index.js";
import { checkbox, field, numberInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";

/** How to write: options of `generate()`. */
export interface WriteOptions {
  readonly element: HTMLElement;
  read(): GenerateOptions & { readonly max_new_tokens: number };
  /** The options as parameters of a link. */
  params(): Record<string, string>;
}

/** Each option with its default and bounds. */
const NUMBERS = {
  max_new_tokens: { label: "New tokens", value: 60, min: 1, max: 255, sampling: false },
  repetition_penalty: { label: "Repetition penalty", value: 1.1, min: 0.1, max: 10, step: "any", sampling: false },
  temperature: { label: "Temperature", value: 0.9, min: 0.01, max: 10, step: "any", sampling: true },
  top_k: { label: "Top k", value: 50, min: 0, sampling: true },
  top_p: { label: "Top p", value: 0.95, min: 0.01, max: 1, step: "any", sampling: true },
  seed: { label: "Seed", value: 7, min: 0, max: 2 ** 32 - 1, sampling: true },
} as const;
type NumberOption = keyof typeof NUMBERS;

/** The controls of the options; `params` of a link say what they are at first. */
export function createOptions(params: URLSearchParams): WriteOptions {
  const names = Object.keys(NUMBERS) as NumberOption[];
  const inputs = Object.fromEntries(
    names.map((name) => [name, numberInput(Number(params.get(name) ?? NUMBERS[name].value), NUMBERS[name])]),
  ) as Record<NumberOption, HTMLInputElement>;
  const sample = checkbox(params.get("do_sample") !== "false");
  const dice = el(
    "button",
    { type: "button", class: "quiet", click: () => (inputs.seed.value = String(Math.floor(Math.random() * 1e6))) },
    "New seed",
  );
  const enable = (): void => {
    for (const name of names) if (NUMBERS[name].sampling) inputs[name].disabled = !sample.checked;
    dice.disabled = !sample.checked;
  };
  sample.addEventListener("change", enable);
  enable();
  const active = (): NumberOption[] => names.filter((name) => sample.checked || !NUMBERS[name].sampling);
  return {
    element: el(
      "div",
      { class: "row" },
      field("Sample", sample, "Draw tokens by their probabilities; else always take the most probable"),
      ...names.map((name) => field(NUMBERS[name].label, inputs[name])),
      dice,
    ),
    read: () => ({
      max_new_tokens: inputs.max_new_tokens.valueAsNumber,
      do_sample: sample.checked,
      ...Object.fromEntries(active().map((name) => [name, inputs[name].valueAsNumber])),
    }),
    params: () => ({
      do_sample: String(sample.checked),
      ...Object.fromEntries(active().map((name) => [name, inputs[name].value])),
    }),
  };
}
