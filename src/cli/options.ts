import optionDocs from "option-docs";
import { type LoadOptions, LOGITS_FORMATS, WEIGHT_FORMATS } from "../index.js";
import { type Group, namesOf, OPTIONS } from "../model/decode/options.js";
import { CACHE_FORMATS } from "../model/graph/architecture.js";
import { HUB_OPTIONS } from "../model/load_options.js";
import type { Rules } from "../model/tasks/option_rules.js";
import { oneOf, type Rule } from "../runtime/checks.js";
import type { Option, Options, OptionTable } from "./arguments.js";

/** The options of these rules, with the comments of the interfaces that have them. */
export function table(rules: Rules, ...interfaces: readonly string[]): OptionTable {
  const docs = Object.assign({}, ...interfaces.map((name) => optionDocs[name])) as Readonly<Record<string, string>>;
  return Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, { rule, doc: docs[name] ?? "" }]));
}

/** A rule that null keeps too: it switches the checkpoint's own value off. */
export const orNull = ({ words, holds }: Rule): Rule => ({ words, holds: (value) => value === null || holds(value) });

const isFunction = (name: keyof typeof OPTIONS): boolean => OPTIONS[name].rule.holds(() => {}, 0);

/** The options of `generate()` in a group, but for functions, which no command line can give. */
function generation(...groups: readonly Group[]): OptionTable {
  const names = groups.flatMap(namesOf).filter((name) => !isFunction(name));
  const rules = names.map((name) => {
    const { words, holds } = OPTIONS[name].rule;
    return [name, orNull({ words, holds: (value) => holds(value, Infinity) })] as const;
  });
  const letters: Readonly<Record<string, string>> = { max_new_tokens: "n" };
  return Object.fromEntries(
    Object.entries(table(Object.fromEntries(rules), "GenerateOptions")).map(([name, option]) => [
      name,
      { ...option, short: letters[name] },
    ]),
  );
}

/** An option of the command line's own. */
export const option = (rule: Rule, doc: string, short?: string): Option => ({ rule, doc, short });

/** The rule of a path. */
export const PATH: Rule = { words: "the path of a file", holds: (value) => typeof value === "string" && value !== "" };

/** The options of all verbs that load a model. */
export const MODEL_OPTIONS: OptionTable = table(
  {
    dtype: oneOf(...WEIGHT_FORMATS),
    lm_head_dtype: oneOf(...LOGITS_FORMATS),
    cache: oneOf(...CACHE_FORMATS),
    ...HUB_OPTIONS,
  },
  "LoadOptions",
  "HubOptions",
);

/** The options of `generate()` by their groups. */
export const GENERATION: Readonly<Record<string, OptionTable>> = {
  Search: generation("search"),
  Length: generation("length"),
  Tokens: generation("penalties", "tokens"),
  "Sampling, with do_sample": generation("sampling"),
  Results: generation("output"),
};

/** Options of several tables; one that several have may be whatever any of them allows. */
export function union(tables: readonly OptionTable[]): OptionTable {
  const all: Record<string, Option> = {};
  for (const [name, option] of tables.flatMap((one) => Object.entries(one))) {
    const before = Object.hasOwn(all, name) ? all[name] : undefined;
    if (before?.rule === option.rule) continue;
    all[name] = before ? { ...before, rule: either(before.rule, option.rule) } : option;
  }
  return all;
}

const either = (one: Rule, other: Rule): Rule => ({
  words: one.words === other.words ? one.words : `${one.words}, or ${other.words}`,
  holds: (value) => one.holds(value) || other.holds(value),
});

/** Options for `load`, and the others. */
export function split(options: Options): [load: LoadOptions, others: Options] {
  const isLoad = ([name]: [string, unknown]): boolean => Object.hasOwn(MODEL_OPTIONS, name);
  const entries = Object.entries(options);
  return [Object.fromEntries(entries.filter(isLoad)), Object.fromEntries(entries.filter((entry) => !isLoad(entry)))];
}
