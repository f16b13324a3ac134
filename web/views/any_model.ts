import { el } from "../support/dom.js";
import type { Context } from "../support/view.js";

export function mount(root: HTMLElement, _context: Context): void {
  root.append(
    el("h2", {}, "Any model"),
    el("p", { class: "lead" }, "Drop a folder, pick files, or name a model of the Hub."),
  );
}
