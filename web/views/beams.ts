import { scaleGradient } from "../support/colour.js";
import { checkbox, field } from "../support/controls.js";
import { el } from "../support/dom.js";
import { onScheme } from "../support/scheme.js";
import { startButton } from "../support/start.js";
import type { Context } from "../support/view.js";
import { createControls } from "./beams/controls.js";
import { type Branching, nodePanel, nodeSummary, resultList, stepTable } from "./beams/details.js";
import { growForest, type Node } from "./beams/forest.js";
import { createPlayer } from "./beams/player.js";
import { type Found, openSpeller, search, type Settings, type Speller } from "./beams/search.js";
import { createStage } from "./beams/stage.js";
import type { SearchStep } from "../../src/index.js";

/** A search: what was asked for, and what has come of it so far. */
interface Run {
  readonly settings: Settings;
  readonly speller: Speller;
  readonly steps: SearchStep[];
  found?: Found;
}

type Beginning = Pick<Settings, "prefix" | "return_alternatives">;
const ANY: Beginning = { prefix: [], return_alternatives: false };

/** Beam search, seen: the tree of beams grows with the steps of a search. */
export function mount(root: HTMLElement, context: Context): void {
  let run: Run | undefined;
  let next = ANY;
  let waiting: ReturnType<typeof setTimeout> | undefined;
  const begin = async (signal: AbortSignal): Promise<void> => {
    const settings = { ...controls.read(), ...next };
    next = ANY;
    clearTimeout(waiting);
    context.link(controls.link());
    context.say("Reading the model ...");
    const now: Run = { settings, speller: await openSpeller(context, settings), steps: [] };
    context.say("Searching; the first time, kernels are compiled ...");
    run = now;
    scene.reset();
    const take = (step: SearchStep): void => {
      now.steps.push(step);
      if (run === now) scene.player.receive(now.steps.length);
    };
    now.found = await search(context, settings, take, signal);
    context.say(`Searched in ${now.steps.length} steps.`);
    scene.show();
  };
  const again = ({ prefix, return_alternatives }: Beginning): void => {
    next = { prefix, return_alternatives };
    void starter.restart();
  };
  const from = ({ ids }: Node): readonly number[] => [...(run?.settings.prefix ?? []), ...ids];
  const scene = createScene(() => run, context.signal, {
    force: (node) => again({ prefix: from(node), return_alternatives: false }),
    alternatives: (node) => again({ prefix: from(node), return_alternatives: true }),
    free: () => again(ANY),
  });
  const starter = startButton("Search", begin, context.signal);
  const controls = createControls(context.params, starter.button, () => {
    clearTimeout(waiting);
    // The press of the button that took the focus from an option comes first, and is enough.
    waiting = setTimeout(
      () => run && again(run.settings.model === controls.read().model ? run.settings : ANY),
      PATIENCE,
    );
  });
  root.append(
    el("h2", {}, "Watch a search decide"),
    el(
      "p",
      { class: "lead" },
      "At each step, beam search goes on with the W best beginnings and drops the others. Here are all of them, and why.",
    ),
    controls.element,
    starter.element,
    ...scene.elements,
  );
}

/** All that shows a run: the player, the trees, what is known of a node, results and the table. */
function createScene(
  current: () => Run | undefined,
  ended: AbortSignal,
  { free, ...branching }: Branching & { free(): void },
) {
  const player = createPlayer(() => show(), ended);
  const showsCut = checkbox(true);
  const scale = el("span", { class: "scale", "aria-hidden": "true" });
  const about = el("div", { class: "about" }); // nodes say the same by their names
  const [forced, results, table] = [el("div"), el("div"), el("div", { class: "figure" })];
  const details = el("details", { toggle: () => show() }, el("summary", {}, "All steps as a table"), table);
  let chosen: Node | undefined;
  let seen: Node | null | undefined; // null: none
  const see = (node = chosen): void => {
    const speller = current()?.speller;
    if (!speller || seen === (node ?? null)) return; // a button that is being pressed must stay
    seen = node ?? null;
    if (!node) about.replaceChildren(el("p", { class: "note" }, HINT));
    else if (node === chosen) about.replaceChildren(nodePanel(node, speller, branching));
    else about.replaceChildren(nodeSummary(node, speller));
  };
  const stage = createStage(see, (node) => {
    chosen = node;
    seen = undefined;
    see();
  });
  const output = el(
    "div",
    { hidden: true },
    forced,
    player.element,
    stage.element,
    about,
    el(
      "div",
      { class: "legend note" },
      el("span", {}, "probability of the token: 0", scale, "1"),
      el("span", {}, el("span", { class: "mark stop", "aria-hidden": "true" }), "finished"),
      el("span", {}, el("span", { class: "mark best", "aria-hidden": "true" }), "on the way to the best result"),
      field("what was cut", showsCut),
    ),
    el("h3", {}, "Results"),
    results,
    details,
  );
  const show = (): void => {
    const run = current();
    if (!run) return;
    const { settings, speller, steps, found } = run;
    const forest = growForest(steps.slice(0, player.shown), settings.return_alternatives);
    const prefix = speller.text([]);
    output.hidden = false;
    scale.style.backgroundImage = scaleGradient();
    forced.replaceChildren(...(settings.prefix.length ? [forcedNote(prefix, settings, free)] : []));
    stage.draw(forest, speller, { root: settings.prefix.length ? `${prefix} …` : "start", showsCut: showsCut.checked });
    results.replaceChildren(resultList(forest, player.shown === steps.length ? found : undefined, speller));
    if (details.open) table.replaceChildren(stepTable(forest, speller));
  };
  showsCut.addEventListener("change", show);
  onScheme(show, ended);
  const reset = (): void => {
    [chosen, seen] = [undefined, undefined];
    stage.reset();
    player.reset();
    show();
    see();
  };
  return { player, show, reset, elements: [output] };
}

const PATIENCE = 300; // ms
const HINT = "Point at a token to see what became of it. Choose one to go on from there.";

const forcedNote = (prefix: string, { return_alternatives }: Settings, free: () => void): HTMLElement =>
  el(
    "p",
    { class: "forced" },
    return_alternatives ? "Alternatives after " : "Every result begins with ",
    el("span", { class: "mono" }, prefix),
    el("button", { type: "button", class: "quiet", click: free }, "Search freely again"),
  );
