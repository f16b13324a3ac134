import { el } from "../../support/dom.js";

/** What a task asks for, and how it answers. */
export interface TaskForm {
  readonly fields: readonly HTMLElement[];
  /** Answers what the fields say; `show` replaces what is shown so far. */
  run(show: (...parts: readonly (Node | string)[]) => void, signal: AbortSignal): Promise<void>;
}

/** A label above a control of full width. */
export const wide = (label: string, control: HTMLElement): HTMLElement =>
  el("label", { class: "field wide" }, el("span", {}, label), control);

/** A text of several lines. */
export const area = (text: string, rows = 3): HTMLTextAreaElement => {
  const control = el("textarea", { rows });
  control.value = text;
  return control;
};

/** The lines of a text that hold something. */
export const linesOf = ({ value }: HTMLTextAreaElement): string[] => value.split("\n").filter((line) => line.trim());
