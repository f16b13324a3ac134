import type { KernelBench } from "../../../bench/support/kernel_bench.js";
import { checkbox, field, selectInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";

/** Which kernels to measure, and at which of their shapes. */
export interface Choice {
  readonly element: HTMLElement;
  /** The benches of what is chosen. */
  benches(): KernelBench[];
  /** What is chosen, as parameters of a link. */
  params(): Record<"kernels" | "shapes", string | undefined>;
}

const FEW = "few";

/** A small, a middle and a large shape of a kernel: benches list them in that order. */
const fewOf = (shapes: readonly string[]): string[] => [
  ...new Set([shapes[0], shapes[Math.floor((shapes.length - 1) / 2)], shapes[shapes.length - 1]]),
];

/** A box for each kernel; `params` of a link says which are ticked, all by default. */
export function createChoice(all: readonly KernelBench[], params: URLSearchParams): Choice {
  const wanted = params.get("kernels")?.split(",");
  const boxes = all.map(({ kernel }) => checkbox(wanted?.includes(kernel) ?? true));
  const shapes = selectInput({ [FEW]: "three of each kernel", all: "all" }, params.get("shapes") ?? FEW);
  const set = (checked: boolean): void => boxes.forEach((box) => (box.checked = checked));
  const button = (name: string, checked: boolean): HTMLElement =>
    el("button", { type: "button", class: "quiet", click: () => set(checked) }, name);
  const ticked = (): KernelBench[] => all.filter((_, index) => boxes[index].checked);
  return {
    element: el(
      "fieldset",
      { class: "choice" },
      el("legend", {}, "Kernels"),
      el("div", { class: "boxes" }, ...all.map(({ kernel }, index) => field(kernel, boxes[index]))),
      el("div", { class: "row" }, button("All", true), button("None", false), field("Shapes", shapes)),
    ),
    benches: () => ticked().map((bench) => (shapes.value === FEW ? bench.at(fewOf(bench.shapes)) : bench)),
    params: () => ({
      kernels:
        ticked().length === all.length
          ? undefined
          : ticked()
              .map(({ kernel }) => kernel)
              .join(","),
      shapes: shapes.value === FEW ? undefined : shapes.value,
    }),
  };
}
