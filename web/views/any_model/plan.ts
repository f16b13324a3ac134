import type { MemoryPlan } from "../../../src/index.js";
import { el } from "../../support/dom.js";
import { bytesText } from "../../support/units.js";

/** What a model is and takes, before any of its weights is read; `compared`: whether it was held against a device. */
export function planTable({ weights, cache, call, ...plan }: MemoryPlan, compared: boolean): HTMLElement {
  const { total: held, ...formats } = weights;
  const stored = Object.entries(formats).map(([format, bytes]) => `${bytesText(bytes)} in ${format}`);
  const perSource =
    cache?.source_token === undefined ? "" : `, and ${bytesText(cache.source_token)} a token of a source`;
  const fits = compared && plan.faults.length === 0 ? "It fits on this device." : "";
  const lines: readonly (readonly [string, string, string])[] = [
    ["Family", plan.family, `${plan.parameters.toLocaleString("en")} parameters`],
    ["To read", bytesText(plan.download), ""],
    ["Weights on the device", bytesText(held), stored.length > 1 ? stored.join(", ") : ""],
    ...(cache ? [["Cache", bytesText(cache.token), `a token of a row${perSource}`] as const] : []),
    ["A short call", bytesText(call.state + call.activation + call.uniforms), "states, activations, parameters"],
    ["In all", bytesText(plan.total), fits],
  ];
  return el(
    "div",
    { class: "plan" },
    el(
      "table",
      {},
      el(
        "tbody",
        {},
        ...lines.map(([name, value, remark]) =>
          el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value), el("td", { class: "note" }, remark)),
        ),
      ),
    ),
    ...plan.faults.map((fault) => el("div", { class: "problem" }, el("p", {}, fault))),
  );
}
