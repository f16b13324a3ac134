import { type DatedResults, readResults } from "../../../bench/support/results.js";
import { resultsName } from "../../../bench/support/results_name.mjs";
import { el } from "../../support/dom.js";
import { clearProblem, showError } from "../../support/problem.js";
import type { Context } from "../../support/view.js";
import { packResults, saveResults } from "./share.js";

/** Buttons for results that are there: save them, or copy a link that holds them. What goes wrong is shown in `root`. */
export function createActions(
  results: () => DatedResults | undefined,
  say: Context["say"],
  root: HTMLElement,
): HTMLElement {
  const action = (name: string, run: (own: DatedResults) => void | Promise<void>): HTMLElement => {
    const act = async (): Promise<void> => {
      const own = results();
      if (own) await run(own);
    };
    const click = (): void => void act().catch((error: unknown) => showError(root, error));
    return el("button", { type: "button", click }, name);
  };
  return el(
    "div",
    { class: "row", hidden: true },
    action("Save JSON", (own) => saveResults(nameOf(own), own)),
    action("Copy link", async (own) => {
      const { origin, pathname } = location;
      await navigator.clipboard.writeText(`${origin}${pathname}#bench?results=${await packResults(own)}`);
      say("The link is copied. It holds the results themselves: nothing was sent anywhere.");
    }),
  );
}

/** A file name such as `npm run bench` gives, with the kernels where they are few. */
function nameOf({ rows, ...own }: DatedResults): string {
  const kernels = [...new Set(rows.map(({ bench }) => bench))];
  return resultsName(own, kernels.length > 4 ? [] : kernels);
}

/** Takes a file of results; what goes wrong is shown in `root`. */
export function createLoader(take: (results: DatedResults) => void, root: HTMLElement): HTMLElement {
  const input = el("input", {
    type: "file",
    accept: "application/json,.json",
    class: "unseen",
    async change() {
      const [file] = input.files ?? [];
      if (!file) return;
      clearProblem(root);
      try {
        take(readResults(await file.text(), file.name));
      } catch (error) {
        showError(root, error);
      }
      input.value = "";
    },
  });
  return el("label", { class: "button" }, input, "Compare with a file");
}
