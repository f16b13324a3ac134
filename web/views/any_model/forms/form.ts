import { el } from "../../../support/dom.js";

/** What a task asks for, and how it answers. */
export interface TaskForm {
  readonly fields: readonly HTMLElement[];
  /** Answers what the fields say; `show` replaces what is shown so far. */
  run(show: Show, signal: AbortSignal): Promise<void>;
  /** Frees what the form itself holds. */
  dispose?(): void;
}

/** Shows an answer in the place of the one before. */
export type Show = (...parts: readonly (Node | string)[]) => void;

/** A field as wide as there is room. */
export const wide = (label: string, control: HTMLElement): HTMLElement =>
  el("label", { class: "field wide" }, el("span", {}, label), control);

/** A field for a text of several lines. */
export function area(text: string, rows = 3): HTMLTextAreaElement {
  const control = el("textarea", { rows });
  control.value = text;
  return control;
}

/** The lines of a text that are not empty. */
export const linesOf = ({ value }: HTMLTextAreaElement): string[] => value.split("\n").filter((line) => line.trim());
