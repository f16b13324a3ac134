import { el } from "../support/dom.js";
import type { Context } from "../support/view.js";

export function mount(root: HTMLElement, _context: Context): void {
  root.append(el("h2", {}, "Write on"), el("p", { class: "lead" }, "gpt2-brown continues a text."));
}
