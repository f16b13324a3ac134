import { field, selectInput, textInput } from "../support/controls.js";
import { scaleGradient } from "../support/colour.js";
import { el } from "../support/dom.js";
import { clearProblem, showError } from "../support/problem.js";
import { onScheme } from "../support/scheme.js";
import { startButton } from "../support/start.js";
import type { Context } from "../support/view.js";
import { createHeadGrid, nameOf } from "./attention/heads.js";
import { createLinks, headWeights } from "./attention/links.js";
import { createMatrix } from "./attention/matrix.js";
import { createPainter, type Mark, type Painter } from "./attention/painter.js";
import { type AttentionData, SOURCES } from "./attention/sources.js";

/** What is shown. */
interface Shown {
  data?: AttentionData;
  painter?: Painter;
  head: number;
  mark: Mark;
}

/** Attention weights of a text, drawn by the device that computed them. */
export function mount(root: HTMLElement, context: Context): void {
  const { params, signal, link } = context;
  const shown: Shown = { head: 0, mark: {} };
  const titles = Object.fromEntries(Object.entries(SOURCES).map(([key, { title }]) => [key, title]));
  const source = selectInput(titles, params.get("source") ?? "cross");
  const text = textInput(params.get("text") ?? SOURCES[source.value].text);
  source.addEventListener("change", () => (text.value = SOURCES[source.value].text));

  const readout = el("p", { class: "note", "aria-live": "polite" });
  const scale = el(
    "div",
    { class: "weights", "aria-hidden": true },
    ...["0", "¼", "1"].map((value) => el("span", {}, value)),
  );
  const title = el("h3", {});
  const redraw = (): void => draw(shown, { heads, matrix, links });
  const mark = (next: Mark): void => {
    shown.mark = next;
    readout.textContent = describe(shown);
    requestAnimationFrame(redraw);
  };
  const choose = (head: number): void => {
    shown.head = head;
    title.textContent = `Layer ${nameOf(head, shown.data?.sizes.H ?? 1).slice(6)}`;
    readout.textContent = describe(shown);
    redraw();
  };
  const heads = createHeadGrid(choose);
  const matrix = createMatrix({ mark, changed: redraw });
  const links = createLinks(mark);
  const views = el(
    "div",
    { class: "attention", hidden: true },
    el("div", {}, el("h3", {}, "All heads"), heads.element, scale),
    el("div", {}, title, matrix.element, readout),
    links.element,
  );

  const free = (): void => {
    shown.painter?.dispose();
    shown.painter = undefined;
  };
  /** Brings what is shown to the device. */
  const paint = async (): Promise<void> => {
    if (!shown.data) return;
    clearProblem(views);
    const painter = await createPainter(await context.gpu(), shown.data, (error) => showError(views, error));
    free();
    if (root.hidden || signal.aborted) return painter.dispose();
    shown.painter = painter;
    redraw();
  };
  const run = async (stop: AbortSignal): Promise<void> => {
    const chosen = SOURCES[source.value];
    link({ source: source.value, text: text.value });
    const data = await chosen.read(context, text.value, stop);
    stop.throwIfAborted();
    free();
    Object.assign(shown, { data, mark: {} });
    views.hidden = false;
    heads.show(data);
    matrix.show(data);
    links.show(data, chosen.sides);
    await paint();
    choose(Math.min(shown.head, data.sizes.L * data.sizes.H - 1));
  };
  const starter = startButton("Draw", run, signal);
  text.addEventListener("keydown", ({ key }) => key === "Enter" && void starter.start());
  signal.addEventListener("abort", free);
  root.addEventListener("leave", () => (starter.stop(), free()), { signal });
  root.addEventListener("enter", () => void paint().catch((error: unknown) => showError(views, error)), { signal });
  const tint = (): void => {
    scale.style.backgroundImage = scaleGradient();
    redraw();
  };
  tint();
  onScheme(tint, signal);
  const observer = new ResizeObserver(redraw);
  observer.observe(views);
  signal.addEventListener("abort", () => observer.disconnect());

  root.append(
    el("h2", {}, "Attention"),
    el(
      "p",
      { class: "lead" },
      "What each token looks at, in every head. The weights are drawn by the device that computed them.",
    ),
    el("div", { class: "row" }, field("What", source), wide(field("Text", text)), starter.element),
    views,
  );
}

const wide = (element: HTMLElement): HTMLElement => {
  element.classList.add("wide");
  return element;
};

interface Parts {
  readonly heads: ReturnType<typeof createHeadGrid>;
  readonly matrix: ReturnType<typeof createMatrix>;
  readonly links: ReturnType<typeof createLinks>;
}

function draw({ painter, data, head, mark }: Shown, { heads, matrix, links }: Parts): void {
  if (!painter || !data) return;
  heads.draw(painter, mark, head);
  matrix.draw(painter, mark, head);
  links.draw(mark, head);
}

/** What is marked, in words. */
function describe({ data, head, mark: { t, s } }: Shown): string {
  if (!data) return "";
  const { S } = data.sizes;
  const weights = headWeights(data, head);
  const percent = (weight: number): string => `${(100 * weight).toFixed(weight < 0.1 ? 1 : 0)} %`;
  if (t !== undefined && s !== undefined)
    return `${data.queries[t]} looks at ${data.keys[s]} with ${percent(weights[t * S + s])}.`;
  if (t === undefined) return "Point at a cell or a token.";
  const best = [...weights.subarray(t * S, (t + 1) * S).entries()].sort(([, a], [, b]) => b - a).slice(0, 3);
  return `${data.queries[t]} looks at ${best.map(([key, weight]) => `${data.keys[key]} ${percent(weight)}`).join(", ")}.`;
}
