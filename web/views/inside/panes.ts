import type { Roofs } from "../../../bench/support/roofs.js";
import { el } from "../../support/dom.js";
import { drawn } from "../../support/plot.js";
import { coloursOf, drawRoofline } from "../../support/roofline.js";
import { bytesText, rateText, timeText } from "../../support/units.js";
import type { Inspected } from "./launches.js";
import { createList, roofShare } from "./list.js";
import { wgslElement } from "./wgsl.js";

/** What is shown of a plan. */
export interface Shown {
  /** Which plan it is. */
  key: string;
  launches: readonly Inspected[];
  roofs?: Roofs;
  chosen: number;
}

/** The list of launches, their roofline, and the one that is chosen. */
export interface Panes {
  readonly element: HTMLElement;
  /** Shows another plan. */
  show(): void;
  /** Writes anew what was measured. */
  update(): void;
}

/** Panes of what is shown; differences up to `tolerance` count as agreement. */
export function createPanes(shown: Shown, tolerance: number, signal: AbortSignal): Panes {
  const frame = el("div", { class: "figure" });
  const [facts, code] = [el("div", {}), el("div", {})];
  const describe = (): void => facts.replaceChildren(...describeLaunch(shown.launches[shown.chosen], shown.roofs));
  const choose = (key: string | number): void => {
    shown.chosen = Number(key);
    list.mark(shown.chosen);
    describe();
    code.replaceChildren(wgslElement(shown.launches[shown.chosen].wgsl()));
    redraw();
  };
  const list = createList(choose);
  const redraw = drawn(frame, (width) => drawPlan(shown, choose, width), signal);
  const element = el("div", { class: "panes", hidden: true }, list.element, el("div", {}, frame, facts, code));
  return {
    element,
    show() {
      element.hidden = false;
      list.show(shown.launches, coloursOf(shown.launches.map(({ kernel }) => kernel)));
      choose(0);
    },
    update() {
      list.update(shown.launches, shown.roofs, tolerance);
      describe();
      redraw();
    },
  };
}

function drawPlan({ launches, roofs, chosen }: Shown, choose: (key: string) => void, width: number): Element {
  const timed = launches.filter(({ us }) => us !== undefined);
  if (!roofs || !timed.length)
    return el("p", { class: "note empty" }, "Press Time for the roofline of these launches.");
  const colours = coloursOf(launches.map(({ kernel }) => kernel));
  const points = timed.map(({ index, kernel, label, bytes, flops, us = 1 }) => ({
    key: String(index),
    title: `${kernel} ${label}: ${timeText(us)}`,
    bytes,
    flops,
    us,
    colour: colours.get(kernel) ?? "",
  }));
  return drawRoofline({ points, roofs, chosen: String(chosen), choose }, width);
}

function describeLaunch(launch: Inspected, roofs: Roofs | undefined): HTMLElement[] {
  const { kernel, label, variant, groups, bytes, flops, us, reads, writes } = launch;
  const share = Math.round(roofShare(launch, roofs) ?? 0);
  const facts: Readonly<Record<string, string>> = {
    Variant: variant,
    Workgroups: groups,
    Work: `${bytesText(bytes)} and ${flops.toLocaleString("en")} FLOP at least`,
    Time: us
      ? `${timeText(us)}: ${rateText(bytes / us / 1e3, "B/s")}, ${rateText(flops / us / 1e3, "FLOP/s")}, ${share} % of the roof`
      : "not timed yet",
    Reads: reads.join("\n"),
    Writes: writes.join("\n"),
  };
  const lines = Object.entries(facts).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]);
  return [
    el("h3", {}, el("span", { class: "mono" }, kernel), " ", el("span", { class: "note" }, label)),
    el("dl", { class: "facts" }, ...lines),
  ];
}
