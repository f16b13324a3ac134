import { nearest } from "../../runtime/checks.js";
import { OptionError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { AddedToken } from "./added_tokens.js";
import { contentOf } from "./special_tokens.js";
import type { Slot, Special, Template } from "./template.js";

/** The tokens of a tokenizer's languages by their codes: en is `__en__` in M2M100, fra `>>fra<<` in Marian. */
export type Languages = ReadonlyMap<string, string>;

const SPELLINGS = [/^__([a-z]{2,3})__$/, /^([a-z]{2,3}_[A-Z]\w+)$/]; // M2M100; NLLB eng_Latn, mBART en_XX
const TARGET = /^>>(\w+)<<$/;

/**
 * The languages among the special tokens, or those to which Marian translates: their tokens begin the texts. Marian's are
 * tokens of the vocabulary alone.
 */
export function languagesOf(added: readonly AddedToken[]): Languages {
  const code = ({ content, special }: AddedToken): string | undefined =>
    (special ? SPELLINGS : [TARGET]).map((spelling) => spelling.exec(content)?.[1]).find(Boolean);
  return new Map(added.flatMap((token) => (code(token) ? [[code(token) as string, token.content]] : [])));
}

/** Whether the token of a language says to which one to translate, at the beginning of the text, as in Marian. */
export const isTarget = (token: string): boolean => TARGET.test(token);

/** Marian's languages, which its tokenizer finds in texts as if they were added tokens. */
export const targetTokens = (ids: ReadonlyMap<string, number>): Json[] =>
  [...ids].flatMap(([content, id]) => (isTarget(content) ? [{ id, content, special: false, normalized: false }] : []));

/** The token of a language. Throws OptionError for one that there is not, naming some that are near. */
export function languageToken(languages: Languages, name: string, code: unknown): string {
  const token = languages.get(String(code));
  if (token !== undefined && typeof code === "string") return token;
  throw unknownLanguage(name, code, [...languages.keys()]);
}

/** The error of a language that is none of those that are known. */
export function unknownLanguage(name: string, code: unknown, known: readonly string[]): OptionError {
  if (known.length === 0)
    return new OptionError(`${name} must be absent, there are no such languages to choose from; leave it out`);
  const wanted = String(code);
  const alike = known.filter((one) => one.slice(0, 2).toLowerCase() === wanted.slice(0, 2).toLowerCase());
  const near = [...new Set([nearest(wanted, known) ?? [], alike].flat())];
  const shown = (near.length ? near : known).slice(0, 5).join(", ");
  return new OptionError(
    `${name} must be one of the ${known.length} languages of the tokenizer, ${near.length ? "near ones are" : "such as"} ${shown}; got ${show(code)}`,
  );
}

/** Where the tokenizers of Transformers put the language of a text, and the one that they take by default. */
const CLASSES: Readonly<Record<string, { readonly place: "first" | "last"; readonly code: string }>> = {
  M2M100: { place: "first", code: "en" },
  MBart: { place: "last", code: "en_XX" },
  MBart50: { place: "first", code: "en_XX" },
  Nllb: { place: "first", code: "eng_Latn" },
};

/** The template of texts in a language; by default, in that of the tokenizer. Throws OptionError. */
export type TemplateOf = (src_lang?: string) => Template;

/**
 * Makes the template of each source language: by the class of the tokenizer, whatever the language and the place when it
 * was saved (`set_src_lang_special_tokens` of Transformers); of other classes, by the template in tokenizer.json, with
 * another language in its place. `special` gives the special token of a text.
 */
export function createTemplateOf(
  template: Template,
  languages: Languages,
  config: Json,
  special: (token: string) => Special,
): TemplateOf {
  const name = String(config.tokenizer_class).replace(/Tokenizer(Fast)?$/, "");
  const known = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  const place = name === "Nllb" && config.legacy_behaviour === true ? "last" : known?.place;
  const usual = typeof config.src_lang === "string" ? config.src_lang : (known?.code ?? "");
  const tokens = new Set(languages.values());
  const translated = (code: string): Template => {
    const language = special(languageToken(languages, "encode: src_lang", code));
    if (isTarget(language.token))
      throw new OptionError(`encode: src_lang must be absent, texts begin with the target language; leave it out`);
    if (!place) return replaced(template, tokens, language);
    const end = special(contentOf(config.eos_token) ?? "</s>");
    const slot = (...of: Special[]): Slot => ({ special: of, segment: 0 });
    const around = (...texts: (0 | 1)[]): Slot[] => {
      const slots = texts.map((text): Slot => ({ text, segment: 0 }));
      return place === "first" ? [slot(language), ...slots, slot(end)] : [...slots, slot(end, language)];
    };
    return { ...template, single: around(0), pair: around(0, 1) };
  };
  return (src_lang) => {
    if (src_lang !== undefined) return translated(src_lang);
    return place && languages.has(usual) ? translated(usual) : template;
  };
}

/** A template with another language. Throws OptionError where it has none. */
function replaced(template: Template, tokens: ReadonlySet<string>, language: Special): Template {
  const isLanguage = (slot: Slot): boolean => "special" in slot && slot.special.some(({ token }) => tokens.has(token));
  if (!template.single.some(isLanguage))
    throw new OptionError(
      "encode: src_lang must be absent, post_processor in tokenizer.json puts no language around texts; leave it out",
    );
  const swap = (slot: Slot): Slot =>
    "special" in slot
      ? { ...slot, special: slot.special.map((one) => (tokens.has(one.token) ? language : one)) }
      : slot;
  return { ...template, single: template.single.map(swap), pair: template.pair.map(swap) };
}
