import type { Checkpoint } from "../../../src/index.js";
import { el } from "../../support/dom.js";
import { bytesText } from "../../support/units.js";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** What a model is and takes, before any of its weights is read. */
export function planTable({ config, entries }: Checkpoint): HTMLElement {
  const tensors = [...entries.values()];
  const lines: readonly (readonly [string, string, string])[] = [
    ["Family", String(config.model_type), `${tensors.length} tensors`],
    ["To read", bytesText(sum(tensors.map(({ start, end }) => end - start))), ""],
  ];
  return el(
    "table",
    {},
    el(
      "tbody",
      {},
      ...lines.map(([name, value, remark]) =>
        el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value), el("td", { class: "note" }, remark)),
      ),
    ),
  );
}
