import type { Mat4 } from "wgpu-matrix";
import { el } from "../../support/dom.js";
import { type Extent, fit, pan, type Point, scaleOf, toCell, toPixel, zoom } from "./camera.js";
import { boxOf } from "./heads.js";
import type { Mark, Painter } from "./painter.js";
import type { AttentionData } from "./sources.js";

/** One head as a matrix that can be moved and enlarged, its tokens beside it. */
export interface Matrix {
  readonly element: HTMLElement;
  /** Takes other weights, and shows all of them. */
  show(data: AttentionData): void;
  draw(painter: Painter, mark: Mark, head: number): void;
}

/** What a matrix tells. */
export interface MatrixListener {
  /** A cell is pointed at, or none. */
  mark(mark: Mark): void;
  /** The view has changed: draw again. */
  changed(): void;
}

const LARGEST = 48; // pixels a cell, at first
const STEP = 1.25; // of zooming by a key or a button
const LEAST_LABEL = 9; // pixels a cell below which its token is not written

/** A matrix of the cells of a head. Keys: arrows move the marked cell, + and - zoom, 0 shows all. */
export function createMatrix({ mark, changed }: MatrixListener): Matrix {
  const canvas = el("canvas", {
    tabindex: 0,
    role: "img",
    "aria-label": "Weights of the head; arrow keys go from cell to cell, plus and minus enlarge, 0 shows all",
  });
  const [rows, columns] = [el("div", { class: "rows" }), el("div", { class: "columns" })];
  let data: AttentionData | undefined;
  let view: Mat4 | undefined;
  let cell: Mark = {};

  const middle = (): Point => ({ x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 });
  const change = (next: Mat4 | undefined): void => {
    view = next;
    changed();
  };
  const zoomBy = (factor: number, at = middle()): void => view && change(zoom(view, factor, at));
  const button = (name: string, label: string, click: () => void): HTMLElement =>
    el("button", { type: "button", class: "quiet", "aria-label": label, title: label, click }, name);
  const tools = el(
    "div",
    { class: "tools" },
    button("+", "Enlarge", () => zoomBy(STEP)),
    button("−", "Reduce", () => zoomBy(1 / STEP)),
    button("All", "Show all", () => change(undefined)),
  );
  const go = (next: Mark): void => {
    cell = next;
    mark(next);
  };

  listenToPointer(canvas, {
    point(at) {
      const found = data && view && cellAt(data, toCell(view, at));
      if (found?.t !== cell.t || found?.s !== cell.s) go(found ?? {});
    },
    drag: (by) => view && change(pan(view, by)),
    zoom: zoomBy,
  });
  for (const left of ["blur", "pointerleave"]) canvas.addEventListener(left, () => go({}));
  canvas.addEventListener("keydown", (event) => {
    const { key } = event;
    const steps: Readonly<Record<string, readonly [t: number, s: number]>> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    if (!data) return;
    if (key in steps) {
      const { T, S } = data.sizes;
      const within = (value: number, size: number): number => Math.min(size - 1, Math.max(0, value));
      const [t, s] = steps[key];
      const next = { t: within((cell.t ?? -t) + t, T), s: within((cell.s ?? -s) + s, S) };
      if (view) view = revealing(view, next, boxOf(canvas));
      go(next);
    } else if (key === "+" || key === "=") zoomBy(STEP);
    else if (key === "-") zoomBy(1 / STEP);
    else if (key === "0") change(undefined);
    else if (key === "Escape") go({});
    else return;
    event.preventDefault();
  });

  return {
    element: el("div", { class: "matrix" }, tools, columns, rows, canvas),
    show(next) {
      data = next;
      view = undefined;
      cell = {};
      canvas.style.aspectRatio = `${next.sizes.S} / ${next.sizes.T}`;
      const labels = (tokens: readonly string[]): HTMLElement[] => tokens.map((token) => el("span", {}, token));
      rows.replaceChildren(...labels(next.queries));
      columns.replaceChildren(...labels(next.keys));
    },
    draw(painter, marked, head) {
      if (!data || !canvas.clientWidth) return;
      const { T, S } = data.sizes;
      view ??= fit({ width: S, height: T }, boxOf(canvas), LARGEST);
      painter.draw(canvas, { view, first: head, count: 1, columns: 1, gap: 0, inset: 0.03, mark: marked });
      placeLabels(rows, view, (i) => ({ x: 0, y: i + 0.5 }), "y", canvas.clientHeight, marked.t);
      placeLabels(columns, view, (i) => ({ x: i + 0.5, y: 0 }), "x", canvas.clientWidth, marked.s);
    },
  };
}

/** The transform after a drag, if it takes one, that brings a cell into sight. */
function revealing(view: Mat4, { t, s }: Required<Mark>, { width, height }: Extent): Mat4 {
  const [low, high] = [toPixel(view, { x: s, y: t }), toPixel(view, { x: s + 1, y: t + 1 })];
  const into = (from: number, to: number, size: number): number => Math.max(0, -from) + Math.min(0, size - to);
  return pan(view, { x: into(low.x, high.x, width), y: into(low.y, high.y, height) });
}

/** The cell of a place; undefined outside of the matrix. */
function cellAt({ sizes: { T, S } }: AttentionData, { x, y }: Point): Mark | undefined {
  const [t, s] = [Math.floor(y), Math.floor(x)];
  return t >= 0 && t < T && s >= 0 && s < S ? { t, s } : undefined;
}

/** Puts each label beside its row or over its column, and hides those that are out of sight or too close. */
function placeLabels(
  labels: HTMLElement,
  view: Mat4,
  placeOf: (index: number) => Point,
  axis: "x" | "y",
  end: number,
  marked: number | undefined,
): void {
  const every = Math.ceil(LEAST_LABEL / scaleOf(view));
  [...labels.children].forEach((child, index) => {
    const label = child as HTMLElement;
    const at = toPixel(view, placeOf(index))[axis];
    label.hidden = at < 0 || at > end || (index % every !== 0 && index !== marked);
    label.style.setProperty("--at", `${at}px`);
    label.classList.toggle("pointed", index === marked);
  });
}

/** What the pointer does on a canvas, in pixels of it. */
interface PointerActions {
  point(at: Point): void;
  drag(by: Point): void;
  zoom(factor: number, at: Point): void;
}

/** Pointing, dragging, the wheel, and two fingers. */
function listenToPointer(canvas: HTMLCanvasElement, { point, drag, zoom: zoomBy }: PointerActions): void {
  const held = new Map<number, Point>();
  const placeOf = ({ offsetX: x, offsetY: y }: MouseEvent): Point => ({ x, y });
  const spread = (): number => {
    const [a, b] = [...held.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, placeOf(event));
    canvas.setPointerCapture(event.pointerId);
    point(placeOf(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const [at, before] = [placeOf(event), held.get(event.pointerId)];
    if (!before) return point(at);
    const apart = held.size > 1 ? spread() : 0;
    held.set(event.pointerId, at);
    if (held.size > 1) zoomBy(spread() / apart, at);
    else drag({ x: at.x - before.x, y: at.y - before.y });
  });
  for (const end of ["pointerup", "pointercancel"] as const)
    canvas.addEventListener(end, ({ pointerId }) => void held.delete(pointerId));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return; // the page scrolls
      event.preventDefault();
      zoomBy(Math.exp(-(event.deltaY || event.deltaX) / 300), placeOf(event));
    },
    { passive: false },
  );
}
