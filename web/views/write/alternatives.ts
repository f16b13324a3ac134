import { el } from "../../support/dom.js";
import { percent, type Written } from "./passage.js";

/** The best tokens in the place of one, each with its probability. */
export interface Alternatives {
  readonly element: HTMLElement;
  show(index: number, written: Written): void;
  clear(): void;
}

/** A text whose spaces and line ends can be seen. */
const visible = (text: string): string => text.replaceAll("\n", "⏎").replace(/^ /, "·") || "∅";

/** A list of buttons; `take` is called with the number of the place and the token that is to stand there. */
export function createAlternatives(take: (index: number, token_id: number) => void): Alternatives {
  const list = el("ol", { class: "alternatives" });
  const title = el("h3", {});
  const element = el("div", { class: "aside", "aria-live": "polite" }, title, list);
  const clear = (): void => {
    title.textContent = "What else";
    list.replaceChildren(el("li", { class: "note" }, "Point at a word, or go to it with Tab and the arrows."));
  };
  clear();
  return {
    element,
    clear,
    show(index, { token_id: own, text, logprob, alternatives }) {
      title.textContent = `Instead of “${visible(text)}”`;
      const listed = alternatives.some(({ token_id }) => token_id === own);
      const all = listed ? alternatives : [...alternatives, { token_id: own, text, logprob }];
      list.replaceChildren(
        ...all.map(({ token_id, text: other, logprob: likely }) => {
          const chosen = token_id === own;
          const style = `--share:${(100 * Math.exp(likely)).toFixed(1)}%`;
          const button = el(
            "button",
            { type: "button", class: "share", style, disabled: chosen, click: () => take(index, token_id) },
            el("span", { class: "mono" }, visible(other)),
            el("span", { class: "note" }, percent(likely)),
          );
          if (chosen) button.setAttribute("aria-current", "true");
          return el("li", {}, button);
        }),
      );
    },
  };
}
