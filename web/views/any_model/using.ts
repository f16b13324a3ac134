import { el } from "../../support/dom.js";
import { startButton } from "../../support/start.js";
import type { Show, TaskForm } from "./forms/form.js";
import { FORMS } from "./forms/index.js";
import type { Loaded } from "./loading.js";

/** A task in use. */
export interface Use {
  readonly elements: readonly HTMLElement[];
  /** Frees the memory of the form and of the task. */
  dispose(): void;
}

/** The form of a task that is loaded, what it answers, and a button that frees its memory by `free`. */
export async function useTask({ name, task }: Loaded, free: () => void, ended: AbortSignal): Promise<Use> {
  const { fields, run, dispose } = await (FORMS[name] as (task: Loaded["task"]) => TaskForm | Promise<TaskForm>)(task);
  const output = el("div", { class: "answer", "aria-live": "polite" });
  const show: Show = (...parts) => output.replaceChildren(...parts);
  const starter = startButton("Run", (signal) => run(show, signal), ended);
  starter.button.type = "submit";
  const disposing = el("button", { type: "button", click: free }, "Dispose");
  const form = el(
    "form",
    { submit: (event: Event) => event.preventDefault() },
    el("div", { class: "row" }, ...fields),
    el("div", { class: "row" }, starter.button, disposing),
  );
  return {
    elements: [el("h3", {}, name), form, starter.element, output],
    dispose() {
      starter.stop();
      dispose?.();
      task.dispose();
    },
  };
}
