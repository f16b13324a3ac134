import { field, selectInput, textInput } from "../support/controls.js";
import { el } from "../support/dom.js";
import { showError } from "../support/problem.js";
import { startButton } from "../support/start.js";
import type { Context } from "../support/view.js";
import { createScene } from "./attention/scene.js";
import { readAttention, SOURCES } from "./attention/sources.js";

/** Attention weights of a text, drawn by the device that computed them. */
export function mount(root: HTMLElement, context: Context): void {
  const { params, signal, link } = context;
  const titles = Object.fromEntries(Object.entries(SOURCES).map(([key, { title }]) => [key, title]));
  const given = params.get("source") ?? "";
  const source = selectInput(titles, given in SOURCES ? given : "cross");
  const text = textInput(params.get("text") ?? SOURCES[source.value].text);
  source.addEventListener("change", () => (text.value = SOURCES[source.value].text));
  const scene = createScene(context);
  const run = async (stop: AbortSignal): Promise<void> => {
    const chosen = SOURCES[source.value];
    link({ source: source.value, text: text.value });
    const data = await readAttention(context, chosen, text.value, stop);
    stop.throwIfAborted();
    await scene.show(data, chosen.sides);
  };
  const starter = startButton("Draw", run, signal);
  text.addEventListener("keydown", ({ key }) => key === "Enter" && void starter.start());
  root.addEventListener("leave", () => (starter.stop(), scene.free()), { signal });
  root.addEventListener("enter", () => void scene.paint().catch((error: unknown) => showError(root, error)), {
    signal,
  });

  const words = field("Text", text);
  words.classList.add("wide");
  root.append(
    el("h2", {}, "Attention"),
    el(
      "p",
      { class: "lead" },
      "What each token looks at, in every head. The weights are drawn by the device that computed them.",
    ),
    el("div", { class: "row" }, field("What", source), words, starter.element),
    scene.element,
  );
}
