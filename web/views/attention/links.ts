import { el, svg } from "../../support/dom.js";
import type { Mark } from "./painter.js";
import type { AttentionData } from "./sources.js";

/** Both sides as words, and a line for each weight, as wide as it is large. */
export interface Links {
  readonly element: HTMLElement;
  show(data: AttentionData, sides: readonly [string, string]): void;
  draw(mark: Mark, head: number): void;
}

const LEAST = 0.02; // the smallest weight with a line
const [ROW, WIDTH] = [30, 200]; // of a token and of the lines, in pixels
const THICKEST = 9;

/** The weights of one head, f32[T,S]. */
export const headWeights = ({ weights, sizes: { T, S } }: AttentionData, head: number): Float32Array =>
  weights.subarray(head * T * S, (head + 1) * T * S);

/** Two columns of tokens; `mark` is called when one is pointed at or has the focus, and with nothing when none is. */
export function createLinks(mark: (mark: Mark) => void): Links {
  const [queries, keys] = [el("ol", {}), el("ol", {})];
  const lines = svg("svg", { width: WIDTH, preserveAspectRatio: "none", "aria-hidden": true });
  const titles = [el("h3", {}), el("h3", {})];
  const element = el("div", { class: "links" }, titles[0], el("span"), titles[1], queries, lines, keys);
  let data: AttentionData | undefined;

  const token = (text: string, own: Mark): HTMLElement => {
    const on = (): void => mark(own);
    const off = (): void => mark({});
    const button = el(
      "button",
      { type: "button", class: "link mono", mouseenter: on, mouseleave: off, focus: on, blur: off },
      text,
    );
    return el("li", { style: `height:${ROW}px` }, button);
  };
  return {
    element,
    show(next, sides) {
      data = next;
      titles.forEach((title, side) => (title.textContent = sides[side]));
      queries.replaceChildren(...next.queries.map((text, t) => token(text, { t })));
      keys.replaceChildren(...next.keys.map((text, s) => token(text, { s })));
    },
    draw(marked, head) {
      if (!data) return;
      const { T, S } = data.sizes;
      const weights = headWeights(data, head);
      const drawn: SVGElement[] = [];
      for (let t = 0; t < T; t++)
        for (let s = 0; s < S; s++) {
          const weight = weights[t * S + s];
          const seen = (marked.t ?? t) === t && (marked.s ?? s) === s;
          if (weight >= LEAST && seen) drawn.push(lineOf(t, s, weight));
        }
      const height = ROW * Math.max(T, S);
      lines.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
      lines.setAttribute("height", String(height));
      lines.replaceChildren(...drawn);
      const share = (t: number, s: number): number => weights[t * S + s];
      tint(queries, (t) => (marked.s === undefined ? Number(marked.t === t) : share(t, marked.s)));
      tint(keys, (s) => (marked.t === undefined ? Number(marked.s === s) : share(marked.t, s)));
    },
  };
}

function lineOf(t: number, s: number, weight: number): SVGElement {
  const [y1, y2] = [(t + 0.5) * ROW, (s + 0.5) * ROW];
  const d = `M0 ${y1} C${WIDTH / 2} ${y1} ${WIDTH / 2} ${y2} ${WIDTH} ${y2}`;
  return svg("path", {
    d,
    "stroke-width": (THICKEST * weight).toFixed(2),
    "stroke-opacity": (0.25 + 0.6 * weight).toFixed(2),
  });
}

/** Shades tokens by their share of what is marked. */
function tint(list: HTMLElement, shareOf: (index: number) => number): void {
  [...list.children].forEach((item, index) =>
    (item as HTMLElement).style.setProperty("--share", `${Math.round(100 * shareOf(index))}%`),
  );
}
