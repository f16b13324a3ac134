import { el } from "../support/dom.js";
import type { Context } from "../support/view.js";

export function mount(root: HTMLElement, _context: Context): void {
  root.append(
    el("h2", {}, "Watch a search decide"),
    el(
      "p",
      { class: "lead" },
      "Beam search keeps the W best beginnings of a result and drops the rest. Here are all of them.",
    ),
  );
}
