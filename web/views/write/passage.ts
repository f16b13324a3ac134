import { cssColour, inkOn } from "../../support/colour.js";
import { el } from "../../support/dom.js";

/** A token that was written, and what could have stood in its place. */
export interface Written {
  readonly token_id: number;
  readonly text: string;
  readonly logprob: number;
  /** The best tokens there, best first. */
  readonly alternatives: readonly { readonly token_id: number; readonly text: string; readonly logprob: number }[];
}

/** A text whose tokens can be pointed at. */
export interface Passage {
  readonly element: HTMLElement;
  /** Begins anew with a prompt, which is not tinted. */
  clear(prompt: string): void;
  add(token: Written): void;
  /** Drops the tokens from this one on. */
  cut(index: number): void;
  /** Colours all tokens anew. */
  tint(): void;
}

/** The tokens of a text, tinted by their probability; `choose` is called with the number of one that is pointed at. */
export function createPassage(choose: (index: number) => void): Passage {
  const element = el("p", { class: "passage", "aria-label": "What was written" });
  let tokens: { written: Written; button: HTMLElement }[] = [];
  const colour = (button: HTMLElement, { logprob }: Written): void => {
    const probability = Math.exp(logprob);
    button.style.background = cssColour(probability);
    button.style.color = inkOn(probability);
  };
  /** One token is in the order of the Tab key, the arrows lead to the others. */
  const reach = (index: number): void => {
    tokens.forEach(({ button }, own) => (button.tabIndex = own === index ? 0 : -1));
    choose(index);
  };
  element.addEventListener("keydown", (event) => {
    const now = tokens.findIndex(({ button }) => button === document.activeElement);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (now < 0 || to === undefined) return;
    event.preventDefault();
    tokens[Math.min(tokens.length - 1, Math.max(0, to))].button.focus();
  });
  return {
    element,
    clear(prompt) {
      tokens = [];
      element.replaceChildren(prompt);
    },
    add(written) {
      const index = tokens.length;
      const on = (): void => reach(index);
      const label = `${written.text}, ${percent(written.logprob)}`;
      const button = el(
        "span", // whose lines break as those of text do
        { role: "button", class: "token", "aria-label": label, tabindex: index ? -1 : 0, mouseenter: on, focus: on },
        written.text,
      );
      colour(button, written);
      tokens.push({ written, button });
      element.append(button);
    },
    cut(index) {
      for (const { button } of tokens.splice(index)) button.remove();
    },
    tint: () => tokens.forEach(({ button, written }) => colour(button, written)),
  };
}

/** A log-probability as people read probabilities. */
export function percent(logprob: number): string {
  const value = 100 * Math.exp(logprob);
  return value < 0.1 ? "under 0.1 %" : `${value.toFixed(value < 10 ? 1 : 0)} %`;
}
