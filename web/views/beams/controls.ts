import { field, numberInput, selectInput, textInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import type { Settings } from "./search.js";

type Chosen = Omit<Settings, "prefix" | "return_alternatives">;

/** The form of a search. */
export interface Controls {
  readonly element: HTMLFormElement;
  read(): Chosen;
  /** What the address must hold for the same form. */
  link(): Record<string, string | number | boolean | undefined>;
}

const MODELS = { "g2p-en": "A word: how is it spoken?", "gpt2-brown": "A beginning: how does it go on?" };
const EXAMPLES: Readonly<Record<Settings["model"], string>> = {
  "g2p-en": "transformer",
  "gpt2-brown": "The jury said",
};
const LENGTHS: Readonly<Record<Settings["model"], number>> = { "g2p-en": 40, "gpt2-brown": 12 };
const STOPS = { false: "when better is unlikely", true: "at W results", never: "when better is impossible" };

/** A form with the values of a link, whose button is `start`; `change` is called when an option changes. */
export function createControls(params: URLSearchParams, start: HTMLButtonElement, change: () => void): Controls {
  start.type = "submit";
  const number = (name: string, value: number, bounds: Parameters<typeof numberInput>[1]): HTMLInputElement =>
    numberInput(Number(params.get(name) ?? value), bounds);
  const first = params.has("text") ? "gpt2-brown" : "g2p-en";
  const model = selectInput(MODELS, first);
  const text = textInput(params.get("word") ?? params.get("text") ?? EXAMPLES[first]);
  const beams = number("W", 4, { min: 1, max: 16 });
  const penalty = number("length_penalty", 1, { min: -4, max: 8, step: 0.1 });
  const stopping = selectInput(STOPS, params.get("early_stopping") ?? "false");
  const groups = number("groups", 1, { min: 1, max: 8 });
  const diversity = number("diversity", 1, { min: 0, max: 20, step: 0.1 });
  const returned = number("n", 4, { min: 1, max: 16 });
  const label = el("span", {}, "Word");
  const kind = (): Settings["model"] => model.value as Settings["model"];
  const name = (): void => void (label.textContent = kind() === "g2p-en" ? "Word" : "Beginning");
  name();
  model.addEventListener("change", () => {
    name();
    text.value = EXAMPLES[kind()];
  });
  const options = el(
    "div",
    { class: "options", change },
    field("Beams W", beams, "num_beams: how many beginnings are kept at each step"),
    field("Length penalty", penalty, "length_penalty: a score is log-probability / length ^ this"),
    field("Ends", stopping, "early_stopping"),
    field("Groups", groups, "num_beam_groups: groups avoid one another's tokens; divides W"),
    field("Diversity", diversity, "diversity_penalty: what a token loses for each earlier group that chose it"),
    field("Results", returned, "num_return_sequences"),
  );
  const element = el(
    "form",
    { submit: (event: Event) => event.preventDefault() },
    el("div", { class: "row" }, field("Model", model), el("label", { class: "field wide" }, label, text), start),
    options,
  );
  const read = (): Chosen => {
    const num_beams = Number(beams.value);
    const num_beam_groups = Number(groups.value);
    return {
      model: kind(),
      text: kind() === "g2p-en" ? text.value.trim().toLowerCase() : text.value,
      num_beams,
      length_penalty: Number(penalty.value),
      early_stopping: stopping.value === "never" ? "never" : stopping.value === "true",
      num_beam_groups,
      diversity_penalty: num_beam_groups > 1 ? Number(diversity.value) : 0,
      num_return_sequences: Math.min(num_beams, Number(returned.value)),
      max_new_tokens: LENGTHS[kind()],
    };
  };
  const link = (): ReturnType<Controls["link"]> => ({
    [kind() === "g2p-en" ? "word" : "text"]: text.value,
    W: beams.value,
    length_penalty: penalty.value,
    early_stopping: stopping.value,
    ...(groups.value !== "1" && { groups: groups.value, diversity: diversity.value }),
    n: returned.value,
  });
  return { element, read, link };
}
