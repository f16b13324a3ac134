import type { KernelRow } from "../../../bench/support/kernel_bench.js";
import type { Row } from "../../../bench/support/measure.js";
import { el } from "../../support/dom.js";
import { rateText, timeText } from "../../support/units.js";

/** A row by its name, the same on all devices. */
export const keyOf = ({ bench, shape }: Pick<Row, "bench" | "shape">): string => `${bench} ${shape}`;

/** The rows of one device, beside those of another. */
export interface ResultsTable {
  readonly element: HTMLElement;
  /** Begins anew; `others` are the rows of another device by `keyOf`. */
  clear(others?: ReadonlyMap<string, Row>): void;
  add(row: Row): void;
  /** Says why a shape, or a whole kernel, was not measured. */
  remark(bench: string, shape: string, why: string): void;
  mark(key: string | undefined): void;
}

/**
 * A table with a body for each kernel, in its colour. `choose` is called with the key of a row whose name is pressed.
 */
export function createTable(choose: (key: string) => void, colours: ReadonlyMap<string, string>): ResultsTable {
  const table = el("table", { class: "results" });
  const element = el("div", { class: "figure", hidden: true }, table);
  const lines = new Map<string, HTMLElement>();
  let bodies = new Map<string, HTMLTableSectionElement>();
  let others: ReadonlyMap<string, Row> | undefined;

  const bodyOf = (bench: string): HTMLTableSectionElement => {
    const found = bodies.get(bench);
    if (found) return found;
    const swatch = el("span", { class: "swatch", style: `background:${colours.get(bench) ?? "var(--faint)"}` });
    const made = el(
      "tbody",
      {},
      el("tr", { class: "kernel" }, el("th", { scope: "rowgroup", colspan: 6 }, swatch, bench)),
    );
    bodies.set(bench, made);
    table.append(made);
    return made;
  };
  return {
    element,
    clear(rows) {
      others = rows;
      bodies = new Map();
      lines.clear();
      element.hidden = true;
      const titles = ["Shape", "Time", "Rate", "Of the roof", "CPU match", rows && "Than the other"];
      const head = titles.map((title, index) => title && el("th", { scope: "col", class: CLASSES[index] }, title));
      table.replaceChildren(el("thead", {}, el("tr", {}, ...head)));
    },
    add(row) {
      element.hidden = false;
      const key = keyOf(row);
      const name = el("button", { type: "button", class: "link", click: () => choose(key) }, row.shape);
      const line = el(
        "tr",
        {},
        el("th", { scope: "row" }, name),
        ...cellsOf(row as KernelRow),
        others && against(row, others.get(key)),
      );
      lines.set(key, line);
      bodyOf(row.bench).append(line);
    },
    remark(bench, shape, why) {
      element.hidden = false;
      const text = el("td", { colspan: 5, class: "remark" }, why);
      bodyOf(bench).append(el("tr", {}, el("th", { scope: "row" }, shape || "all shapes"), text));
    },
    mark(key) {
      for (const [own, line] of lines) line.toggleAttribute("aria-current", own === key);
    },
  };
}

const CLASSES = ["", "number", "number", "", "match", "number"];

/** Time, rate, share of the roof, and what agreed with the reference. */
function cellsOf({ us, gb_s, gflop_s, roof_percent, match }: KernelRow): HTMLElement[] {
  const rate = gb_s === undefined ? rateText(gflop_s ?? 0, "FLOP/s") : rateText(gb_s, "B/s");
  const share = Math.round(roof_percent);
  return [
    el("td", { class: "number", title: `${timeText(us.p10)} to ${timeText(us.p90)}` }, timeText(us.median)),
    el("td", { class: "number" }, rate),
    el("td", {}, el("span", { class: "share", style: `--share:${Math.min(100, share)}%` }, `${share} %`)),
    el("td", { class: "match" }, "✓ ", match && el("span", {}, `${match.numbers.toLocaleString("en")} numbers`)),
  ];
}

function against(row: Row, other: Row | undefined): HTMLElement {
  if (!other) return el("td", { class: "number" }, "–");
  const ratio = other.us.median / row.us.median;
  const [times, word] = ratio >= 1 ? [ratio, "faster"] : [1 / ratio, "slower"];
  if (times < 1.005) return el("td", { class: "number" }, "the same");
  return el(
    "td",
    { class: "number", title: timeText(other.us.median) },
    `${times.toFixed(times < 10 ? 2 : 0)}× ${word}`,
  );
}

/** All that is known of a row, as a sentence. */
export function describeRow({
  bench,
  shape,
  us,
  sizes,
  format,
  variant,
  gb_s,
  gflop_s,
  roof_percent,
  match,
}: KernelRow): string {
  const rate = gb_s === undefined ? rateText(gflop_s ?? 0, "FLOP/s") : rateText(gb_s, "B/s");
  return [
    `${bench}, ${shape}: ${timeText(us.median)} (${timeText(us.p10)} to ${timeText(us.p90)}), ${rate}, ${Math.round(roof_percent)} % of what this device can do.`,
    `Sizes ${sizes}; weights ${format}; variant ${variant}.`,
    match &&
      `Before that, ${match.numbers.toLocaleString("en")} numbers agreed with the reference in 64-bit arithmetic within ${match.tolerance}${match.sizes ? `, at ${match.sizes}` : ""}.`,
  ]
    .filter(Boolean)
    .join(" ");
}
