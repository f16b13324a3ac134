import { el } from "../../support/dom.js";
import { fit, scaleOf, toPixel } from "./camera.js";
import type { Mark, Painter } from "./painter.js";
import type { AttentionData } from "./sources.js";

const GAP = 1.5; // cells between panels

/** All heads, layer by layer, as small panels that can be pressed. */
export interface HeadGrid {
  readonly element: HTMLElement;
  show(data: AttentionData): void;
  /** Draws all panels; `chosen` is the number of the head that is pressed. */
  draw(painter: Painter, mark: Mark, chosen: number): void;
}

/** A grid of heads; `choose` is called with the number of the head that is pressed, layer by layer. */
export function createHeadGrid(choose: (head: number) => void): HeadGrid {
  const canvas = el("canvas", { "aria-hidden": true });
  const panels = el("div", { class: "panels", role: "group", "aria-label": "Heads" });
  const element = el("div", { class: "heads" }, canvas, panels);
  let buttons: HTMLButtonElement[] = [];
  let sizes: AttentionData["sizes"] = { L: 1, H: 1, T: 1, S: 1 };
  return {
    element,
    show(data) {
      ({ sizes } = data);
      const { L, H, T, S } = sizes;
      buttons = Array.from({ length: L * H }, (_, head) =>
        el("button", {
          type: "button",
          "aria-label": nameOf(head, H),
          title: nameOf(head, H),
          click: () => choose(head),
        }),
      );
      panels.replaceChildren(...buttons);
      element.style.aspectRatio = `${H * (S + GAP)} / ${L * (T + GAP)}`;
    },
    draw(painter, mark, chosen) {
      const { L, H, T, S } = sizes;
      const view = fit({ width: H * (S + GAP) - GAP, height: L * (T + GAP) - GAP }, boxOf(canvas));
      painter.draw(canvas, { view, first: 0, count: L * H, columns: H, gap: GAP, inset: 0, mark });
      const scale = scaleOf(view);
      buttons.forEach((button, head) => {
        const { x, y } = toPixel(view, { x: (head % H) * (S + GAP), y: Math.floor(head / H) * (T + GAP) });
        button.style.cssText = `left:${x}px;top:${y}px;width:${S * scale}px;height:${T * scale}px`;
        button.setAttribute("aria-pressed", String(head === chosen));
      });
    },
  };
}

/** What a head is called, counted from 1. */
export const nameOf = (head: number, H: number): string => `layer ${Math.floor(head / H) + 1}, head ${(head % H) + 1}`;

/** The size of an element in pixels of the style sheet. */
export const boxOf = ({ clientWidth: width, clientHeight: height }: HTMLElement) => ({ width, height });
