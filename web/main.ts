import { createContext } from "./support/context.js";
import { showScheme } from "./support/scheme.js";
import { createTabs } from "./support/tabs.js";
import { VIEWS } from "./views/index.js";

const find = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`main: index.html must have an element ${id}, it has none`);
  return found;
};

showScheme(find("scheme") as HTMLButtonElement);
createTabs(VIEWS, createContext(find("status"), find("device")), find("tabs"), find("panels"));
