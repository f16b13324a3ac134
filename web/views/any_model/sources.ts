import { field, textInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import type { SourceLike } from "../../../src/index.js";
import { droppedFiles, folderSource, type Found, pickedFiles } from "./folder.js";

/** A checkpoint that the user named. */
export interface Named {
  readonly name: string;
  readonly source: SourceLike;
  /** For gated repositories of the Hub. */
  readonly token?: string;
}

const BUNDLED = ["bert-pos", "g2p-en", "gpt2-brown"];

/**
 * The ways to name a checkpoint: its id on the Hub (with the button `look`), a folder or files, one that lies beside the page.
 * `choose` gets it at once, or what went wrong; `read` gives what the form says.
 */
export function createSources(
  id: string,
  look: HTMLButtonElement,
  choose: (named: () => Named | Promise<Named>) => void,
): { readonly element: HTMLElement; read(): Named } {
  const place = textInput(id, "org/name");
  const token = el("input", { type: "password", autocomplete: "off", placeholder: "hf_..." });
  look.type = "submit";
  const read = (): Named => {
    const name = place.value.trim();
    if (!name) throw new Error("Name a model of the Hub first, such as org/name, or drop a folder.");
    return { name, source: name, ...(token.value && { token: token.value }) };
  };
  const hub = el(
    "form",
    { class: "row", submit: (event: Event) => event.preventDefault() },
    el(
      "label",
      { class: "field wide" },
      el("span", {}, "A model of the Hub: org/name, org/name@revision, or its page"),
      place,
    ),
    field("Access token, if it is gated", token),
    look,
  );
  const chooseFiles = (found: () => Found[] | Promise<Found[]>): void =>
    choose(async () => folderSource(await found()));
  const bundled = BUNDLED.map((name) =>
    el(
      "button",
      {
        type: "button",
        class: "quiet",
        click: () => choose(() => ({ name, source: new URL(`models/${name}/`, document.baseURI) })),
      },
      name,
    ),
  );
  const element = el(
    "div",
    {},
    hub,
    dropZone(chooseFiles),
    el("p", { class: "note" }, "Or one that lies beside this page: ", ...bundled),
  );
  return { element, read };
}

/** Where folders and files are dropped, or chosen. */
function dropZone(choose: (found: () => Found[] | Promise<Found[]>) => void): HTMLElement {
  const picker = (label: string, folder: boolean): HTMLElement => {
    const input = el("input", {
      type: "file",
      class: "unseen",
      tabindex: -1,
      "aria-hidden": "true",
      multiple: true,
      webkitdirectory: folder,
      change() {
        const found = pickedFiles(input.files);
        if (found.length > 0) choose(() => found);
        input.value = ""; // the same folder may be chosen again
      },
    });
    return el("span", {}, el("button", { type: "button", click: () => input.click() }, label), input);
  };
  const mark = (event: DragEvent, over: boolean): void => {
    event.preventDefault();
    zone.classList.toggle("over", over);
  };
  const zone = el(
    "div",
    {
      class: "drop",
      dragover: (event: DragEvent) => mark(event, true),
      dragleave: (event: DragEvent) => mark(event, false),
      drop(event: DragEvent) {
        mark(event, false);
        const { dataTransfer } = event;
        if (!dataTransfer) return;
        const found = droppedFiles(dataTransfer); // now: its entries are gone after the event
        choose(() => found);
      },
    },
    el("p", {}, "Drop the folder of a checkpoint here: config.json, *.safetensors, tokenizer.json"),
    picker("Choose a folder", true),
    picker("Choose files", false),
  );
  return zone;
}
