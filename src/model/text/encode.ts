import { checkOptions, FLAG, type Rule, wholeNumber } from "../../runtime/checks.js";
import { InputError } from "../../runtime/errors.js";
import { checkText } from "./checks.js";
import { arrange, type Encoding, readLength, type ReadText, shares, shortened } from "./encoding.js";
import type { TemplateOf } from "./languages.js";

/** How to turn a text into tokens. */
export interface EncodeOptions {
  /** A second text that belongs to the first. */
  readonly text_pair?: string;
  /** Put the tokens around the texts that the tokenizer puts there, such as [CLS] and [SEP]. Default true. */
  readonly add_special_tokens?: boolean;
  /**
   * The most tokens, special ones included. Texts that are longer are shortened, the longer of two first, at the side
   * that `truncation_side` of the tokenizer names. Default: no limit.
   */
  readonly max_length?: number;
  /**
   * The language of the text, one of `languages`, whose token stands where the tokenizer puts it (NLLB, M2M100, mBART).
   * Default: as tokenizer_config.json says, or else as in Transformers.
   */
  readonly src_lang?: string;
}

const TEXT: Rule = { words: "a text", holds: (value) => typeof value === "string" };
const ENCODE = { text_pair: TEXT, add_special_tokens: FLAG, max_length: wholeNumber(1), src_lang: TEXT };

/** Turns texts into tokens: special ones by the template of the language, and those of the texts as `read` finds them. */
export function createEncode(
  templateOf: TemplateOf,
  read: (text: string) => ReadText,
  fromLeft: boolean,
  unknown: number | undefined,
): (text: string, options?: EncodeOptions) => Encoding {
  return (text, options = {}) => {
    checkOptions("encode", options, ENCODE);
    const { text_pair, add_special_tokens = true, max_length = Infinity, src_lang } = options;
    const texts = [text, ...(text_pair === undefined ? [] : [text_pair])].map((one) => read(checkText(one)));
    const { single, pair } = templateOf(src_lang);
    const all = texts.length === 1 ? single : pair;
    const slots = add_special_tokens ? all : all.filter((slot) => "text" in slot);
    const room = max_length - slots.reduce((sum, slot) => sum + ("special" in slot ? slot.special.length : 0), 0);
    const kept = keptOf(texts, room, max_length, fromLeft);
    const short = texts.map((one, index) => shortened(one, kept[index], fromLeft));
    return {
      ...arrange(slots, short),
      truncated: texts.reduce((sum, one, index) => sum + one.ids.length - kept[index], 0),
      unknown: texts.flatMap((one) => one.ids).filter((id) => id === unknown).length,
    };
  };
}

/** How many tokens of each text to keep when there is room for `room`. Throws InputError for too little room. */
function keptOf(texts: readonly ReadText[], room: number, limit: number, fromLeft: boolean): readonly number[] {
  const total = texts.reduce((sum, { ids }) => sum + ids.length, 0);
  if (total > room && room < texts.length)
    throw new InputError(
      `text: must have at most ${limit} tokens with special ones, got ${total + limit - room}; shorten it or raise max_length`,
    );
  const lengths = texts.map((text) => readLength(text, limit, fromLeft));
  return shares(lengths, room);
}
