import { el } from "../../support/dom.js";
import type { Node, Tree } from "./forest.js";
import type { Found, Speller } from "./search.js";
import { fateOf, titleOf } from "./words.js";

/** What can be done from a node. */
export interface Branching {
  /** Searches again for results that begin with the tokens up to here. */
  force(node: Node): void;
  /** Searches for the best next tokens after here. */
  alternatives(node: Node): void;
}

/** What became of a node, in the page. */
export const nodeSummary = (node: Node, { text }: Speller): HTMLElement =>
  el(
    "p",
    {},
    node.step > 0 && el("strong", { class: "mono" }, text(node.ids)),
    node.step > 0 && ` · probability ${Math.exp(node.logprob).toFixed(3)} · score ${node.ranking_score.toFixed(3)} · `,
    fateOf(node),
  );

/** The same in one line of text. */
export function describeNode(node: Node, { label, text }: Speller): string {
  if (node.step === 0) return fateOf(node);
  const numbers = `probability ${Math.exp(node.logprob).toFixed(3)}, sum of log-probabilities ${node.score.toFixed(3)}, score ${node.ranking_score.toFixed(3)}`;
  return `step ${node.step}, ${label(node.token_id)} in “${text(node.ids)}”: ${numbers}; ${fateOf(node)}`;
}

/** The chosen node in full, and what can be done from it. */
export function nodePanel(node: Node, speller: Speller, { force, alternatives }: Branching): HTMLElement {
  const action = (name: string, call: (node: Node) => void): HTMLElement =>
    el("button", { type: "button", click: () => call(node) }, name);
  return el(
    "div",
    { class: "chosen" },
    nodeSummary(node, speller),
    el(
      "div",
      { class: "row" },
      node.step > 0 && node.fate !== "finished" && action("Force this beginning", force),
      node.fate !== "finished" && action("Alternatives from here", alternatives),
    ),
  );
}

interface Hypothesis {
  readonly ids: readonly number[];
  readonly score?: number;
  readonly step?: number;
}

/** Hypotheses that are finished so far, best first; once the search is over, those that it returns come first. */
export function resultList(forest: readonly Tree[], found: Found | undefined, { text }: Speller): HTMLElement {
  const parts = forest.flatMap(({ parts }) => parts);
  const finished = parts.flatMap(({ finished }) => finished.map(({ token_ids: ids, ...more }) => ({ ids, ...more })));
  const all: readonly Hypothesis[] = found?.results ?? finished.sort((a, b) => b.score - a.score);
  if (all.length === 0) return el("p", { class: "note" }, "None is finished yet.");
  const best = Math.exp(Math.max(...all.map(({ score = 0 }) => score)));
  const row = ({ ids, score }: Hypothesis, rank: number): HTMLElement =>
    el(
      "tr",
      {},
      el("td", { class: "number" }, rank + 1),
      el("td", { class: "mono" }, text(ids)),
      el("td", { class: "number" }, score?.toFixed(4) ?? ""),
      el(
        "td",
        {},
        score !== undefined && el("span", { class: "bar", style: `width: ${(100 * Math.exp(score)) / best}%` }),
      ),
    );
  return el(
    "table",
    { class: "ranked" },
    el("thead", {}, headings("", found ? "Result" : "Finished so far", "Score", "")),
    el("tbody", {}, ...all.map(row)),
  );
}

const headings = (...names: readonly string[]): HTMLElement =>
  el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name)));

/** All candidates of all steps, for those who read rather than see. */
export function stepTable(forest: readonly Tree[], { label, text }: Speller): HTMLElement {
  const line = (node: Node, title: string | undefined): HTMLElement =>
    el(
      "tr",
      {},
      title !== undefined && el("td", {}, title),
      el("td", { class: "number" }, node.step),
      el("td", { class: "mono" }, label(node.token_id)),
      el("td", { class: "mono" }, text(node.ids)),
      el("td", { class: "number" }, Math.exp(node.logprob).toFixed(3)),
      el("td", { class: "number" }, node.ranking_score.toFixed(3)),
      el("td", {}, fateOf(node)),
    );
  const lines = forest.flatMap((tree) => {
    const title = titleOf(tree, forest.length);
    return tree.columns.slice(1).flatMap((column) => column.map((node) => line(node, title)));
  });
  const names = ["Step", "Token", "Text so far", "Probability", "Score", "What became of it"];
  return el(
    "table",
    {},
    el("thead", {}, headings(...(forest.length > 1 ? ["Tree"] : []), ...names)),
    el("tbody", {}, ...lines),
  );
}
