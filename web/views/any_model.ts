import { el } from "../support/dom.js";
import { startButton } from "../support/start.js";
import type { Context } from "../support/view.js";
import { createCacheList } from "./any_model/cached.js";
import { loadPanel } from "./any_model/loading.js";
import { createSources, type Named } from "./any_model/sources.js";
import { type Use, useTask } from "./any_model/using.js";

/** Any model: named, looked at before its weights are read, loaded, and used. */
export function mount(root: HTMLElement, context: Context): void {
  const [plan, use] = [el("section", { "aria-live": "polite" }), el("section")];
  let next: (() => Named | Promise<Named>) | undefined;
  let used: Use | undefined;
  const free = (): void => {
    used?.dispose();
    used = undefined;
    use.replaceChildren();
    context.say("");
  };
  context.signal.addEventListener("abort", free);

  const look = async (signal: AbortSignal): Promise<void> => {
    const read = next ?? sources.read;
    next = undefined;
    free();
    plan.replaceChildren();
    const { name, source, token } = await read();
    context.link({ id: typeof source === "string" ? source : undefined });
    context.say(`Reading what ${name} is ...`);
    const { openCheckpoint } = await import("../../src/index.js");
    const checkpoint = await openCheckpoint(source, { signal, token });
    const panel = await loadPanel(checkpoint, context, async (loaded) => {
      free();
      used = await useTask(loaded, free, context.signal);
      use.replaceChildren(...used.elements);
    });
    plan.replaceChildren(el("h3", {}, name), ...panel);
    context.say(`All of ${name} is read but its weights.`);
  };
  const looking = startButton("Look at it", look, context.signal);
  const sources = createSources(context.params.get("id") ?? "", looking.button, (named) => {
    next = named;
    void looking.restart();
  });
  root.append(
    el("h2", {}, "Bring a model"),
    el(
      "p",
      { class: "lead" },
      "A checkpoint as it lies on the Hub or on your disk runs here, without conversion. Files that you drop stay on your machine.",
    ),
    sources.element,
    looking.element,
    plan,
    use,
    createCacheList(),
  );
}
