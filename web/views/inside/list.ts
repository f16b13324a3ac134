import { type Roofs, roofTimes } from "../../../bench/support/roofs.js";
import { el } from "../../support/dom.js";
import { timeText } from "../../support/units.js";
import type { Inspected } from "./launches.js";

/** The launches of a plan in their order. */
export interface LaunchList {
  readonly element: HTMLElement;
  show(launches: readonly Inspected[], colours: ReadonlyMap<string, string>): void;
  /** Writes times, shares of the roofs and agreement anew. */
  update(launches: readonly Inspected[], roofs: Roofs | undefined, tolerance: number): void;
  mark(index: number): void;
}

/** The share of what the device can do that a launch reaches, in percent; undefined before it is timed. */
export function roofShare(launch: Inspected, roofs: Roofs | undefined): number | undefined {
  if (!roofs || !launch.us) return undefined;
  const { moving, computing } = roofTimes(roofs, launch);
  return (100 * Math.max(moving, computing)) / launch.us;
}

/** A table, a row a launch; `choose` is called with the number of the launch that is pressed. */
export function createList(choose: (index: number) => void): LaunchList {
  const body = el("tbody", {});
  const head = ["", "Launch", "Time", "Of the roof", "CPU match"].map((title, index) =>
    el("th", { scope: "col", class: index === 2 ? "number" : "" }, title),
  );
  const table = el("table", { class: "results launches" }, el("thead", {}, el("tr", {}, ...head)), body);
  const element = el("div", { class: "figure tall", tabindex: 0, role: "region", "aria-label": "Launches" }, table);
  let lines: { line: HTMLElement; time: HTMLElement; roof: HTMLElement; match: HTMLElement }[] = [];
  return {
    element,
    show(launches, colours) {
      lines = launches.map(({ index, kernel, label }) => {
        const [time, roof, match] = [el("td", { class: "number" }), el("td", {}), el("td", { class: "match" })];
        const swatch = el("span", { class: "swatch", style: `background:${colours.get(kernel)}` });
        const name = el(
          "button",
          { type: "button", class: "link", click: () => choose(index) },
          el("span", { class: "mono" }, breakable(kernel)),
          " ",
          el("span", { class: "note" }, breakable(label)),
        );
        const line = el(
          "tr",
          {},
          el("td", { class: "number note" }, index + 1),
          el("th", { scope: "row" }, el("span", { class: "named" }, swatch, name)),
          time,
          roof,
          match,
        );
        return { line, time, roof, match };
      });
      body.replaceChildren(...lines.map(({ line }) => line));
    },
    update(launches, roofs, tolerance) {
      const total = launches.reduce((sum, { us = 0 }) => sum + us, 0);
      for (const launch of launches) {
        const { time, roof, match } = lines[launch.index];
        const { us, error } = launch;
        if (us !== undefined) {
          time.replaceChildren(bar(timeText(us), (100 * us) / total));
          const share = roofShare(launch, roofs);
          if (share !== undefined) roof.replaceChildren(bar(`${Math.round(share)} %`, share));
        }
        if (error !== undefined) {
          const wrong = error > tolerance;
          match.replaceChildren(wrong ? "✗ " : "✓ ", el("span", {}, errorText(error)));
          match.classList.toggle("wrong", wrong);
        }
      }
    },
    mark(index) {
      lines.forEach(({ line }, own) => line.toggleAttribute("aria-current", own === index));
    },
  };
}

/** A name whose parts may stand on lines of their own. */
const breakable = (name: string): string => name.replace(/[._]/g, "$&\u200b");

const bar = (text: string, share: number): HTMLElement =>
  el("span", { class: "share", style: `--share:${Math.min(100, share).toFixed(1)}%` }, text);

/** An error with one digit. */
export const errorText = (error: number): string => (error === 0 ? "equal" : error.toExponential(0));
