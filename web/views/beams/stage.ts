import { el } from "../../support/dom.js";
import { describeNode } from "./details.js";
import { drawTree } from "./drawing.js";
import { bestPaths, type Node, type Tree } from "./forest.js";
import type { Speller } from "./search.js";
import { endOf, titleOf } from "./words.js";

/** How the trees are drawn. */
interface Look {
  /** The label of the roots. */
  readonly root: string;
  readonly showsCut: boolean;
}

/** The trees, drawn; nodes are reached with the pointer, or with the arrows once one has the focus. */
export interface Stage {
  readonly element: HTMLElement;
  draw(forest: readonly Tree[], speller: Speller, look: Look): void;
  /** Forgets what was chosen: another search begins. */
  reset(): void;
}

/** A stage that tells of the node under the pointer or the focus (`see`; undefined: none), and of the one that is chosen. */
export function createStage(see: (node: Node | undefined) => void, choose: (node: Node) => void): Stage {
  const element = el("div", { class: "stage" });
  let nodes: ReadonlyMap<string, Node> = new Map();
  let chosen: string | undefined;
  let drawn = 0; // steps

  const shapeOf = (key: string | undefined): SVGGElement | undefined =>
    [...element.querySelectorAll<SVGGElement>("[data-key]")].find(({ dataset }) => dataset.key === key);
  const shapeAt = ({ target }: Event): SVGGElement | undefined =>
    (target as Element).closest<SVGGElement>("[data-key]") ?? undefined;
  const seen = (event: Event): void => see(nodes.get(shapeAt(event)?.dataset.key ?? ""));
  /** Makes a node the one that the Tab key comes to. */
  const enter = (shape: SVGGElement | undefined): void => {
    for (const other of element.querySelectorAll('[data-key][tabindex="0"]')) other.setAttribute("tabindex", "-1");
    shape?.setAttribute("tabindex", "0");
  };
  const press = (shape: SVGGElement | undefined): void => {
    const node = nodes.get(shape?.dataset.key ?? "");
    if (!shape || !node) return;
    shapeOf(chosen)?.setAttribute("aria-pressed", "false");
    shape.setAttribute("aria-pressed", "true");
    chosen = node.key;
    enter(shape);
    choose(node);
  };

  element.addEventListener("click", (event) => press(shapeAt(event)));
  element.addEventListener("pointerover", seen);
  element.addEventListener("focusin", seen);
  for (const name of ["pointerleave", "focusout"]) element.addEventListener(name, () => see(undefined));
  element.addEventListener("keydown", (event) => {
    const shape = shapeAt(event);
    if (!shape) return;
    const next = neighbour(event.key, shape);
    if (event.key === "Enter" || event.key === " ") press(shape);
    else if (!next) return;
    event.preventDefault();
    if (next) enter(next);
    next?.focus();
  });

  const figure = (tree: Tree, count: number, speller: Speller, look: Look, isNew: boolean): HTMLElement => {
    const picture = drawTree(tree, {
      labelOf: ({ step, token_id }) => (step === 0 ? look.root : speller.label(token_id)),
      describe: (node) => describeNode(node, speller),
      showsCut: look.showsCut,
      best: bestPaths(tree),
      selected: chosen,
      newest: isNew ? tree.columns.length - 1 : -1,
    });
    const [title, end] = [titleOf(tree, count), endOf(tree)];
    return el(
      "section",
      {},
      title !== undefined && el("h3", {}, title),
      el("div", { class: "figure" }, picture),
      end !== undefined && el("p", { class: "note" }, end),
    );
  };

  return {
    element,
    reset: () => void ([chosen, drawn] = [undefined, 0]),
    draw(forest, speller, look) {
      const focused = shapeOf((document.activeElement as SVGGElement | null)?.dataset.key)?.dataset.key;
      const scrolled = [...element.querySelectorAll(".figure")].map(({ scrollLeft }) => scrollLeft);
      const steps = Math.max(0, ...forest.map(({ columns }) => columns.length - 1));
      const isNew = steps > drawn;
      drawn = steps;
      nodes = new Map(forest.flatMap(({ columns }) => columns.flat().map((node) => [node.key, node])));
      element.replaceChildren(...forest.map((tree) => figure(tree, forest.length, speller, look, isNew)));
      element.querySelectorAll(".figure").forEach((frame, at) => {
        frame.scrollLeft = isNew ? frame.scrollWidth : (scrolled[at] ?? 0); // it follows the newest step
      });
      enter(shapeOf(focused ?? chosen) ?? shapeOf(nodes.keys().next().value));
      shapeOf(focused)?.focus({ preventScroll: true });
    },
  };
}

/** The node to which an arrow of the keyboard leads; undefined for other keys, and where there is none. */
function neighbour(key: string, shape: SVGGElement): SVGGElement | undefined {
  const all = [...(shape.ownerSVGElement?.querySelectorAll<SVGGElement>("[data-key]") ?? [])];
  const column = all.filter(({ dataset }) => dataset.step === shape.dataset.step);
  switch (key) {
    case "ArrowLeft":
      return all.find(({ dataset }) => dataset.key === shape.dataset.parent);
    case "ArrowRight":
      return all.find(({ dataset }) => dataset.parent === shape.dataset.key);
    case "ArrowUp":
      return column[column.indexOf(shape) - 1];
    case "ArrowDown":
      return column[column.indexOf(shape) + 1];
    default:
      return undefined;
  }
}
