import type { TextTask } from "../../src/index.js";
import { scaleGradient } from "../support/colour.js";
import { field } from "../support/controls.js";
import { el } from "../support/dom.js";
import { onScheme } from "../support/scheme.js";
import { startButton } from "../support/start.js";
import type { Context } from "../support/view.js";
import { createAlternatives } from "./write/alternatives.js";
import { createOptions } from "./write/options.js";
import { createPassage, type Written } from "./write/passage.js";
import { type Draft, write } from "./write/writer.js";

const PROMPT = "The jury said that the election";

/** gpt2-brown continues a text: each token with its probability, and what else could have stood there. */
export function mount(root: HTMLElement, context: Context): void {
  const { params, signal, link } = context;
  const draft: Draft = { prompt: [], written: [] };
  const prompt = el("textarea", { rows: 2, spellcheck: "false" }, params.get("text") ?? PROMPT);
  const options = createOptions(params);
  const status = el("p", { class: "note", role: "status" });
  const scale = el("div", { class: "weights", "aria-hidden": true }, el("span", {}, "0 %"), el("span", {}, "100 %"));
  const passage = createPassage((index) => alternatives.show(index, draft.written[index]));
  const alternatives = createAlternatives((index, token_id) => {
    next = { index, token_id };
    void starter.restart();
  });
  const views = el(
    "div",
    { class: "writing", hidden: true },
    el("div", {}, passage.element, scale),
    alternatives.element,
  );
  /** Where the next run begins: at this token, in place of what was there; anew if there is none. */
  let next: { readonly index: number; readonly token_id: number } | undefined;

  const add = (written: Written): void => {
    draft.written.push(written);
    passage.add(written);
  };
  const begin = (task: TextTask): void => {
    if (next) {
      const { index, token_id } = next;
      const { alternatives: all } = draft.written[index];
      draft.written.length = index;
      passage.cut(index);
      const chosen = all.find((one) => one.token_id === token_id);
      if (chosen) add({ ...chosen, alternatives: all });
    } else {
      draft.prompt = task.tokenizer.encode(prompt.value).ids;
      draft.written.length = 0;
      passage.clear(prompt.value);
      alternatives.clear();
    }
    next = undefined;
    views.hidden = false;
  };
  const run = async (stop: AbortSignal): Promise<void> => {
    link({ text: prompt.value, ...options.params() });
    status.textContent = "Reading the model ...";
    const task = await context.task("text-generation", "gpt2-brown");
    begin(task);
    await write(task, draft, options.read(), stop, { add, tell: (text) => (status.textContent = text) });
  };
  const starter = startButton("Write", run, signal);
  root.addEventListener("leave", starter.stop, { signal });
  const tint = (): void => {
    scale.style.backgroundImage = scaleGradient();
    passage.tint();
  };
  tint();
  onScheme(tint, signal);

  root.append(
    el("h2", {}, "Write on"),
    el(
      "p",
      { class: "lead" },
      "A small model of English prose from 1961 continues your text. Its words are tinted by how probable it found them; take another, and it goes on from there.",
    ),
    el("div", { class: "writer" }, field("Text", prompt), options.element),
    starter.element,
    status,
    views,
  );
}
