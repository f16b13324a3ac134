import { cssColour, inkOn } from "../../support/colour.js";
import { el } from "../../support/dom.js";

/** Labels with their scores from 0 to 1 as bars. */
export const bars = (rows: readonly (readonly [string, number])[]): HTMLElement =>
  el(
    "table",
    { class: "ranked" },
    el(
      "tbody",
      {},
      ...rows.map(([label, score]) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, label),
          el("td", { class: "number" }, score.toFixed(3)),
          el("td", {}, el("span", { class: "bar", style: `width: ${100 * Math.min(1, Math.max(0, score))}%` })),
        ),
      ),
    ),
  );

/** A matrix of numbers from 0 to 1, its rows and columns named by texts. */
export const matrix = (texts: readonly string[], rows: readonly (readonly number[])[]): HTMLElement =>
  el(
    "div",
    { class: "figure" },
    el(
      "table",
      { class: "matrix" },
      el(
        "tbody",
        {},
        ...rows.map((row, i) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, texts[i]),
            ...row.map((value, j) =>
              el(
                "td",
                { class: "number", title: texts[j], style: `background: ${cssColour(value)}; color: ${inkOn(value)}` },
                value.toFixed(2),
              ),
            ),
          ),
        ),
      ),
    ),
  );

interface Range {
  readonly start: number;
  readonly end: number;
  readonly entity: string;
  readonly score: number;
}

/** A text in which ranges have their labels under them. */
export function marked(text: string, ranges: readonly Range[]): HTMLElement {
  let at = 0;
  const parts = ranges.flatMap(({ start, end, entity, score }) => {
    const between = text.slice(at, start);
    at = end;
    const title = `${entity}: ${score.toFixed(3)}`;
    return [between, el("ruby", { title }, text.slice(start, end), el("rt", {}, entity))];
  });
  return el("p", { class: "marked" }, ...parts, text.slice(at));
}
