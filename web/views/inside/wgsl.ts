import { el } from "../../support/dom.js";

const TOKENS =
  /(?<comment>\/\/.*)|(?<attribute>@\w+)|(?<keyword>\b(?:fn|var|let|const|struct|return|if|else|for|while|loop|switch|case|default|break|continue|enable)\b)|(?<type>\b(?:u32|i32|f32|f16|bool|vec[234][uif]?|mat\w+|array|ptr|atomic)\b)|(?<number>\b\d[\w.]*)/g;

/** WGSL as an element, its words coloured by the style sheet (`.wgsl .keyword` and so on). */
export function wgslElement(text: string): HTMLElement {
  const code = el("code", {});
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [kind] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? [""];
    code.append(text.slice(end, match.index), el("span", { class: kind }, match[0]));
    end = match.index + match[0].length;
  }
  code.append(text.slice(end));
  return el("pre", { class: "wgsl", tabindex: 0 }, code); // it scrolls, and so must take the focus
}
