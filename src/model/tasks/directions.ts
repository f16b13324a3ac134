import { OptionError, show } from "../../runtime/errors.js";
import type { Model } from "../model.js";
import { isTarget, languageToken, unknownLanguage } from "../text/languages.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { languagesIn, type Pair, readPrefixes } from "./task_params.js";

/** From what to what each text goes. */
export interface DirectionOptions {
  /**
   * The language of the texts, or of each, as the tokenizer names it: `eng_Latn` of NLLB, `en` of M2M100, `en_XX` of
   * mBART, `en` of T5. Default: that of the tokenizer.
   */
  readonly src_lang?: string | readonly string[];
  /** The language to translate to, or that of each text; also of Marian models for several, such as `fra`. */
  readonly tgt_lang?: string | readonly string[];
  /** What stands before each text. Default: as `task_specific_params` in config.json has it, or else its `prefix`. */
  readonly prefix?: string;
}

/** How one text is read, and with which token its results begin. */
export interface Direction {
  readonly prefix: string;
  readonly src_lang?: string;
  /** The token of the target language. */
  readonly target?: number;
}

/** Finds the directions of a task's texts. */
export interface Directions {
  /** The direction of each of `count` texts. Throws OptionError for languages that the checkpoint has not. */
  read(count: number, options: DirectionOptions): Direction[];
  /** The option of `generate()` that takes the tokens of the target languages. */
  readonly option: "forced_bos_token_id" | "decoder_start_token_id";
}

type Languages = Readonly<Partial<Record<"src_lang" | "tgt_lang", string>>>;

/**
 * How a checkpoint is told about languages: by a token of the tokenizer for each (NLLB, M2M100, mBART), of which the
 * target's is forced first or, where the checkpoint starts with a language or nothing else (mBART-25), is the start
 * token; by a token before the text (Marian); or by a prefix for each pair (T5).
 */
export function createDirections(task: string, model: Model, tokenizer: Tokenizer): Directions {
  const { languages } = tokenizer;
  const { own, pairs } = readPrefixes(model.checkpoint.config, task);
  const { decoder_start_token_id, forced_bos_token_id } = model.generationDefaults.options;
  const ids = new Set([...languages.values()].map((token) => tokenizer.token_to_id(token)));
  const isLanguage = (id: unknown): boolean => ids.has(id as number);
  const inText = [...languages.values()].some(isTarget);

  const directionOf = ({ src_lang, tgt_lang }: Languages, prefix: string | undefined): Direction => {
    const before = prefix ?? own;
    if (languages.size === 0) return { prefix: prefix ?? pairOf(task, pairs, { src_lang, tgt_lang })?.prefix ?? own };
    const token = tgt_lang === undefined ? undefined : languageToken(languages, `${task}: tgt_lang`, tgt_lang);
    if (inText) return { prefix: token ? `${token} ${before}` : before };
    if (src_lang !== undefined) languageToken(languages, `${task}: src_lang`, src_lang);
    return { prefix: before, src_lang, target: token === undefined ? undefined : tokenizer.token_to_id(token) };
  };
  // A name such as translation_en_to_de is all that a model of one pair has of its languages.
  const named: Languages = languages.size || pairs.length ? (languagesIn(task) ?? {}) : {};
  const usual: Languages = inText ? { tgt_lang: named.tgt_lang } : named;
  const needsTarget =
    task === "translation" &&
    languages.size > 0 &&
    !inText &&
    ![decoder_start_token_id, forced_bos_token_id].some(isLanguage);
  return {
    option:
      decoder_start_token_id === undefined || isLanguage(decoder_start_token_id)
        ? "decoder_start_token_id"
        : "forced_bos_token_id",
    read(count, { prefix, ...given }) {
      const sources = listOf(task, "src_lang", given.src_lang ?? usual.src_lang, count);
      const targets = listOf(task, "tgt_lang", given.tgt_lang ?? usual.tgt_lang, count);
      if (inText && sources.length) throw unknownLanguage(`${task}: src_lang`, sources[0], []);
      if (needsTarget && targets.length < count)
        throw unknownLanguage(`${task}: tgt_lang`, undefined, [...languages.keys()]);
      return Array.from({ length: count }, (_, i) =>
        directionOf({ src_lang: sources[i], tgt_lang: targets[i] }, prefix),
      );
    },
  };
}

/** The pair of these languages; undefined for none. Throws OptionError for a pair that there is not. */
function pairOf(task: string, pairs: readonly Pair[], { src_lang, tgt_lang }: Languages): Pair | undefined {
  if (src_lang === undefined && tgt_lang === undefined) return undefined;
  const found = pairs.find((pair) => pair.src_lang === src_lang && pair.tgt_lang === tgt_lang);
  if (found) return found;
  if (pairs.length === 0)
    throw unknownLanguage(`${task}: ${src_lang === undefined ? "tgt_lang" : "src_lang"}`, src_lang ?? tgt_lang, []);
  const known = pairs.map((pair) => `${pair.src_lang} and ${pair.tgt_lang}`).join("; ");
  throw new OptionError(
    `${task}: src_lang and tgt_lang must be a pair of task_specific_params, ${known}; got ${show(src_lang)} and ${show(tgt_lang)}`,
  );
}

/** A language for each text; none where none is given. Throws OptionError for a list of another length. */
function listOf(
  task: string,
  name: string,
  value: string | readonly string[] | undefined,
  count: number,
): readonly string[] {
  if (value === undefined) return [];
  const list = typeof value === "string" ? Array<string>(count).fill(value) : value;
  if (!Array.isArray(list) || list.length !== count || !Array.from(list).every((one) => typeof one === "string"))
    throw new OptionError(
      `${task}: ${name} must be a language, or a list of one for each of the ${count} texts, got ${show(value)}`,
    );
  return list;
}
