import { readPlace, writePlace } from "./address.js";
import { el } from "./dom.js";
import { showError } from "./problem.js";
import type { Context, ViewEntry } from "./view.js";

/** What views share; the rest of a context is each view's own. */
export type Shared = Omit<Context, "params" | "signal" | "link">;

interface Tab {
  readonly entry: ViewEntry;
  readonly button: HTMLButtonElement;
  readonly panel: HTMLElement;
  /** Ends the view in the panel. */
  mounted?: AbortController;
  /** What the view has written into the address. */
  link: Parameters<Context["link"]>[0];
}

/** A tab and an empty panel for each view; the address says which is open. */
export function createTabs(
  entries: readonly ViewEntry[],
  shared: Shared,
  list: HTMLElement,
  panels: HTMLElement,
): void {
  const tabs = entries.map((entry): Tab => {
    const { id, title } = entry;
    const names = { tab: `tab-${id}`, panel: `panel-${id}` };
    const button = el("button", { id: names.tab, type: "button", role: "tab", "aria-controls": names.panel }, title);
    const panel = el("section", {
      id: names.panel,
      role: "tabpanel",
      "aria-labelledby": names.tab,
      class: "panel",
      hidden: true,
    });
    return { entry, button, panel, link: {} };
  });
  list.replaceChildren(...tabs.map(({ button }) => button));
  panels.replaceChildren(...tabs.map(({ panel }) => panel));

  const show = (shown: Tab): void => {
    for (const { button, panel } of tabs) {
      const chosen = button === shown.button;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1; // the arrows lead to the others
      if (panel.hidden !== chosen) continue;
      panel.hidden = !chosen;
      panel.dispatchEvent(new Event(chosen ? "enter" : "leave"));
    }
    shown.button.scrollIntoView({ block: "nearest", inline: "nearest" });
    document.title = `${shown.entry.title} · wgformer`;
  };
  const follow = (): void => {
    const { id, params } = readPlace();
    const tab = tabs.find(({ entry }) => entry.id === id) ?? tabs[0];
    show(tab);
    void mount(tab, params, shared);
  };
  const choose = (tab: Tab): void => {
    show(tab);
    shared.say(""); // it was said of another view
    if (!tab.mounted) void mount(tab, new URLSearchParams(), shared);
    writePlace(tab.entry.id, tab.link);
  };
  for (const tab of tabs) tab.button.addEventListener("click", () => choose(tab));
  list.addEventListener("keydown", (event) => {
    const now = tabs.findIndex(({ button }) => button === document.activeElement);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (now < 0 || to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    choose(tab);
    tab.button.focus();
  });
  addEventListener("hashchange", follow);
  follow();
}

/** Puts a view into its panel, in the place of what is there. */
async function mount(tab: Tab, params: URLSearchParams, shared: Shared): Promise<void> {
  const { entry, panel } = tab;
  tab.mounted?.abort();
  const mounted = new AbortController();
  tab.mounted = mounted;
  panel.replaceChildren();
  try {
    const view = await entry.open();
    if (mounted.signal.aborted) return;
    const link: Context["link"] = (chosen) => {
      tab.link = chosen;
      if (!panel.hidden) writePlace(entry.id, chosen);
    };
    view.mount(panel, { ...shared, params, signal: mounted.signal, link });
  } catch (error) {
    showError(panel, error);
  }
}
