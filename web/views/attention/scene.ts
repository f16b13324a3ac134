import { scaleGradient } from "../../support/colour.js";
import { el } from "../../support/dom.js";
import { clearProblem, showError } from "../../support/problem.js";
import { onScheme } from "../../support/scheme.js";
import type { Context } from "../../support/view.js";
import { createHeadGrid, nameOf } from "./heads.js";
import { createLinks, headWeights } from "./links.js";
import { createMatrix } from "./matrix.js";
import { createPainter, type Mark, type Painter } from "./painter.js";
import type { AttentionData } from "./sources.js";

/** All heads, one of them as a matrix, and its links. */
export interface AttentionScene {
  readonly element: HTMLElement;
  /** Shows other weights, whose rows and columns are called so. */
  show(data: AttentionData, sides: readonly [string, string]): Promise<void>;
  /** Brings what is shown to the device again, after `free`. */
  paint(): Promise<void>;
  /** Frees what is on the device. */
  free(): void;
}

/** What is shown. */
interface Shown {
  data?: AttentionData;
  painter?: Painter;
  head: number;
  mark: Mark;
}

/** An empty scene. It draws again when its size or the colours change. */
export function createScene({ gpu, signal }: Context): AttentionScene {
  const shown: Shown = { head: 0, mark: {} };
  const readout = el("p", { class: "note", "aria-live": "polite" });
  const scale = el(
    "div",
    { class: "weights", "aria-hidden": true },
    ...["0", "¼", "1"].map((text) => el("span", {}, text)),
  );
  const title = el("h3", {});
  const redraw = (): void => {
    const { painter, data, head, mark } = shown;
    if (!painter || !data) return;
    heads.draw(painter, mark, head);
    matrix.draw(painter, mark, head);
    links.draw(mark, head);
  };
  const point = (mark: Mark): void => {
    shown.mark = mark;
    readout.textContent = describe(shown);
    requestAnimationFrame(redraw);
  };
  const choose = (head: number): void => {
    shown.head = head;
    const name = nameOf(head, shown.data?.sizes.H ?? 1);
    title.textContent = name[0].toUpperCase() + name.slice(1);
    point(shown.mark);
  };
  const heads = createHeadGrid(choose);
  const matrix = createMatrix({ mark: point, changed: redraw });
  const links = createLinks(point);
  const element = el(
    "div",
    { class: "attention", hidden: true },
    el("div", {}, el("h3", {}, "All heads"), heads.element, scale),
    el("div", {}, title, matrix.element, readout),
    links.element,
  );

  const free = (): void => {
    shown.painter?.dispose();
    shown.painter = undefined;
  };
  const paint = async (): Promise<void> => {
    if (!shown.data) return;
    clearProblem(element);
    element.setAttribute("aria-busy", "true");
    try {
      const painter = await createPainter(await gpu(), shown.data, (error) => showError(element, error));
      free();
      if (signal.aborted || !element.clientWidth) return painter.dispose(); // its tab was left meanwhile
      shown.painter = painter;
      redraw();
      await painter.drawn();
    } finally {
      element.removeAttribute("aria-busy");
    }
  };
  const tint = (): void => {
    scale.style.backgroundImage = scaleGradient();
    redraw();
  };
  tint();
  onScheme(tint, signal);
  const observer = new ResizeObserver(redraw);
  observer.observe(element);
  signal.addEventListener("abort", () => (observer.disconnect(), free()));
  return {
    element,
    free,
    paint,
    async show(data, sides) {
      free();
      Object.assign(shown, { data, mark: {} });
      element.hidden = false;
      heads.show(data);
      matrix.show(data);
      links.show(data, sides);
      choose(Math.min(shown.head, data.sizes.L * data.sizes.H - 1));
      await paint();
    },
  };
}

/** What is marked, in words. */
function describe({ data, head, mark: { t, s } }: Shown): string {
  if (!data) return "";
  const { S } = data.sizes;
  const weights = headWeights(data, head);
  const percent = (weight: number): string => `${(100 * weight).toFixed(weight < 0.1 ? 1 : 0)} %`;
  if (t !== undefined && s !== undefined)
    return `${data.queries[t]} looks at ${data.keys[s]} with ${percent(weights[t * S + s])}.`;
  if (t === undefined) return "Point at a cell or a token.";
  const row = [...weights.subarray(t * S, (t + 1) * S).entries()];
  const best = row.sort(([, a], [, b]) => b - a).slice(0, 3);
  return `${data.queries[t]} looks at ${best.map(([key, weight]) => `${data.keys[key]} ${percent(weight)}`).join(", ")}.`;
}
