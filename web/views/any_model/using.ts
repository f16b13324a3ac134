import { el } from "../../support/dom.js";
import { startButton } from "../../support/start.js";
import type { TaskForm } from "./form.js";
import { FORMS } from "./forms.js";
import type { Loaded } from "./loading.js";

/** The form of a task that is loaded, what it answers, and a button that frees its memory. */
export function usePanel({ name, task }: Loaded, free: () => void, ended: AbortSignal): readonly HTMLElement[] {
  const { fields, run } = (FORMS[name] as (task: Loaded["task"]) => TaskForm)(task);
  const output = el("div", { class: "answer", "aria-live": "polite" });
  const show = (...parts: readonly (Node | string)[]): void => output.replaceChildren(...parts);
  const starter = startButton(
    "Run",
    async (signal) => {
      show();
      await run(show, signal);
    },
    ended,
  );
  starter.button.type = "submit";
  return [
    el("h3", {}, name),
    el(
      "form",
      { submit: (event: Event) => event.preventDefault() },
      el("div", { class: "row" }, ...fields),
      el("div", { class: "row" }, starter.button, el("button", { type: "button", click: free }, "Dispose")),
    ),
    starter.element,
    output,
  ];
}
