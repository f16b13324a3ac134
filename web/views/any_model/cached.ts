import { el } from "../../support/dom.js";
import { showError } from "../../support/problem.js";
import { bytesText } from "../../support/units.js";

const library = () => import("../../../src/index.js");

/** The models of the Hub that this browser keeps, each with a button that removes it. */
export function createCacheList(): HTMLDetailsElement {
  const list = el("div");
  const show = async (): Promise<void> => {
    const { cacheEntries, removeFromCache } = await library();
    const entries = await cacheEntries();
    const remove = async (id: string): Promise<void> => {
      await removeFromCache(id);
      await show();
    };
    const row = ({ id, bytes }: (typeof entries)[number]): HTMLElement =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, id),
        el("td", { class: "number" }, bytesText(bytes)),
        el(
          "td",
          {},
          el(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": `Remove ${id}`,
              click: () => void remove(id).catch((error: unknown) => showError(list, error)),
            },
            "Remove",
          ),
        ),
      );
    list.replaceChildren(
      entries.length > 0
        ? el("table", {}, el("tbody", {}, ...entries.map(row)))
        : el("p", { class: "note" }, "None yet. Models of the Hub are kept after their first download."),
    );
  };
  const details = el(
    "details",
    { toggle: () => details.open && void show().catch((error: unknown) => showError(list, error)) },
    el("summary", {}, "Models that this browser keeps"),
    list,
  );
  return details;
}
