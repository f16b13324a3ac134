import { cssColour, inkOn } from "../../support/colour.js";
import { svg } from "../../support/dom.js";
import type { Node, Tree } from "./forest.js";
import { type Layout, layTree, type Place } from "./layout.js";

/** How a tree is drawn. */
export interface Look {
  labelOf(node: Node): string;
  /** What screen readers and tooltips say of a node. */
  describe(node: Node): string;
  readonly showsCut: boolean;
  /** The nodes of the best result so far. */
  readonly best: ReadonlySet<Node>;
  readonly selected?: string;
  /** The column that has just come. */
  readonly newest: number;
}

const MARGIN = 14;
const BOX = 30; // height of a node that was not cut

/** Draws a tree: boxes for beams, coloured by the probability of their token, marked where they end, and what was cut as text. */
export function drawTree(tree: Tree, look: Look): SVGSVGElement {
  const layout = layTree(tree, look.labelOf, ({ fate }) => look.showsCut || fate !== "cut");
  const [width, height] = [layout.width + 2 * MARGIN, layout.height + 2 * MARGIN];
  const nodes = [...layout.places];
  return svg(
    "svg",
    {
      class: "tree",
      width,
      height,
      viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}`,
      role: "group",
      "aria-label": "Tree of beams",
    },
    svg("g", { "aria-hidden": "true" }, ...nodes.map(([node, place]) => edgeTo(node, place, layout, look))),
    ...nodes.map(([node, place]) => box(node, place, look)),
  );
}

function edgeTo(node: Node, { x, y }: Place, { places }: Layout, { best, newest }: Look): SVGPathElement | undefined {
  const from = node.parent && places.get(node.parent);
  if (!from) return undefined;
  const start = from.x + from.width;
  const middle = (start + x) / 2;
  const kind = best.has(node) ? "best" : node.fate;
  return svg("path", {
    class: `edge ${kind}${node.step === newest ? " new" : ""}`,
    d: `M${start} ${from.y}C${middle} ${from.y} ${middle} ${y} ${x} ${y}`,
    "stroke-width": node.fate === "cut" ? 1 : 1.2 + 3 * Math.exp(node.logprob),
  });
}

function box(node: Node, { x, y, width }: Place, look: Look): SVGGElement {
  const { key, fate, step } = node;
  const kind = [fate, look.best.has(node) && "best", step === look.newest && "new", step === 0 && "root"];
  const probability = Math.exp(node.logprob);
  const filled = fate !== "cut" && step > 0;
  const ink = filled && `fill: ${inkOn(probability)}`;
  const middle = x + width / 2;
  return svg(
    "g",
    {
      class: ["node", ...kind.filter(Boolean)].join(" "),
      role: "button",
      tabindex: -1,
      "data-key": key,
      "data-parent": node.parent?.key,
      "data-step": step,
      "aria-pressed": String(key === look.selected),
      "aria-label": look.describe(node),
    },
    svg("title", {}, look.describe(node)),
    fate === "cut"
      ? svg("rect", { x, y: y - 9, width, height: 18, rx: 4, class: "target" })
      : svg("rect", { x, y: y - BOX / 2, width, height: BOX, rx: 5, fill: filled ? cssColour(probability) : "none" }),
    fate === "finished" && svg("rect", { x: x + width - 4, y: y - BOX / 2, width: 4, height: BOX, class: "stop" }),
    svg("text", { x: middle, y: fate === "cut" || step === 0 ? y + 4 : y - 1, style: ink }, look.labelOf(node)),
    filled && svg("text", { x: middle, y: y + 10.5, style: ink, class: "score" }, node.ranking_score.toFixed(2)),
  );
}
