import type { Json } from "../checkpoint/checkpoint.js";

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `task_specific_params` of config.json by the names of tasks. */
function paramsOf(config: Json): Readonly<Record<string, Json>> {
  const all = isObject(config.task_specific_params) ? config.task_specific_params : {};
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, Json] => isObject(entry[1])));
}

/** The languages in the name of a task, as in translation_en_to_de; undefined where it has none. */
export function languagesIn(task: string): { readonly src_lang: string; readonly tgt_lang: string } | undefined {
  const [, src_lang, tgt_lang] = /^translation_(.+)_to_(.+)$/.exec(task) ?? [];
  return src_lang ? { src_lang, tgt_lang } : undefined;
}

/** The task of which alone config.json has parameters; undefined where it is none of these or one of several. */
export function onlyTask(config: Json): "translation" | "summarization" | undefined {
  const names = Object.keys(paramsOf(config)).map((name) => (languagesIn(name) ? "translation" : name));
  const [only, ...others] = new Set(names);
  return others.length === 0 && (only === "translation" || only === "summarization") ? only : undefined;
}

/** A pair of languages of `task_specific_params`, and what begins the texts. */
export interface Pair {
  readonly src_lang: string;
  readonly tgt_lang: string;
  readonly prefix: string;
}

/** What begins a text of a task, and of each pair of languages, by config.json. */
export interface Prefixes {
  readonly own: string;
  readonly pairs: readonly Pair[];
}

/** Reads what begins the texts of a task: `prefix` of its parameters, or else of config.json, as in Transformers. */
export function readPrefixes(config: Json, task: string): Prefixes {
  const own = taskParams(config, task).prefix ?? config.prefix;
  const pairs = Object.entries(paramsOf(config)).flatMap(([name, { prefix }]) => {
    const languages = languagesIn(name);
    return languages && typeof prefix === "string" ? [{ ...languages, prefix }] : [];
  });
  return { own: typeof own === "string" ? own : "", pairs };
}

/**
 * The parameters of a task; of translation without languages, those that are the same for all pairs with a prefix. Those
 * of other pairs, such as the start token of one language, are not for all.
 */
export function taskParams(config: Json, task: string): Json {
  const params = paramsOf(config);
  if (Object.hasOwn(params, task)) return params[task];
  if (task !== "translation") return {};
  const isPair = (name: string): boolean => Boolean(languagesIn(name)) && typeof params[name].prefix === "string";
  const [first = {}, ...others] = Object.keys(params)
    .filter(isPair)
    .map((name) => params[name]);
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
  );
}
