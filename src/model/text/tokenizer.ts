import { checkOptions, FLAG, type Rule, wholeNumber } from "../../runtime/checks.js";
import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import type { AddedToken } from "./added_tokens.js";
import { cleanUp, createDecoder } from "./decoders.js";
import { arrange, createReader, type Encoding, readLength, type ReadText, shares, shortened } from "./encoding.js";
import { createTemplateOf, languagesOf, targetTokens, type TemplateOf } from "./languages.js";
import { lettersOf, textOf } from "./letters.js";
import { createNormalizer } from "./normalizers.js";
import { createPreTokenizer } from "./pre_tokenizers.js";
import { addedTokensOf, contentOf } from "./special_tokens.js";
import { createTemplate, type Special, whole } from "./template.js";
import { createVocabulary } from "./vocabulary.js";

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

/** How to turn tokens into a text. */
export interface DecodeOptions {
  /** Leave special tokens out. Default false. */
  readonly skip_special_tokens?: boolean;
  /**
   * Take away spaces before punctuation and contractions. Default: as tokenizer_config.json says, except for BPE, whose
   * spaces are those of the text.
   */
  readonly clean_up_tokenization_spaces?: boolean;
}

const TEXT: Rule = { words: "a text", holds: (value) => typeof value === "string" };
const ENCODE = { text_pair: TEXT, add_special_tokens: FLAG, max_length: wholeNumber(1), src_lang: TEXT };
const DECODE = { skip_special_tokens: FLAG, clean_up_tokenization_spaces: FLAG };

/** Turns texts into token ids and back, by `tokenizer.json` and `tokenizer_config.json`. */
export interface Tokenizer {
  /**
   * The tokens of a text or of two, with the ranges that they stand for. Throws InputError for what is no text, or when
   * not even one token of each text fits into max_length, and OptionError.
   */
  encode(text: string, options?: EncodeOptions): Encoding;
  /** The text of token ids; ids without a token have none. Throws InputError for what are no ids, and OptionError. */
  decode(ids: ArrayLike<number | bigint>, options?: DecodeOptions): string;
  /** The id of a token as the vocabulary spells it; undefined when it is not in it. */
  token_to_id(token: string): number | undefined;
  /** The token of an id as the vocabulary spells it; undefined when there is none. */
  id_to_token(id: number): string | undefined;
  /** The id that stands for what is not in the vocabulary; undefined when there is none. */
  readonly unk_token_id: number | undefined;
  /**
   * The tokens of languages by their codes, as `src_lang` takes them: eng_Latn of NLLB, en is `__en__` in M2M100, fra
   * `>>fra<<` in Marian.
   */
  readonly languages: ReadonlyMap<string, string>;
  /** The most tokens that tokenizer_config.json allows; undefined when it does not say. */
  readonly model_max_length: number | undefined;
  /** Whether `decode` cleans up unless it is told not to. */
  readonly clean_up_tokenization_spaces: boolean;
  /** What the model takes, if tokenizer_config.json says so: input_ids, token_type_ids, attention_mask. */
  readonly model_input_names: readonly string[] | undefined;
}

/**
 * Reads the tokenizer of a checkpoint; undefined when it has none. Throws CheckpointError when it is broken. Its regular
 * expressions run as they stand: one of a hostile file can take a text any time.
 */
export async function readTokenizer({ json, label }: Checkpoint): Promise<Tokenizer | undefined> {
  const definition = await json("tokenizer.json");
  if (!definition) return undefined;
  const config = (await json("tokenizer_config.json")) ?? {};
  const fault = (cause: unknown): Error =>
    cause instanceof InputError || cause instanceof OptionError
      ? cause
      : new CheckpointError(
          `${label}/tokenizer.json: must be a tokenizer of Hugging Face, ${(cause as Error).message}`,
          { cause },
        );
  const guarded = <A extends unknown[], T>(call: (...given: A) => T): ((...given: A) => T) => {
    return (...given) => {
      try {
        return call(...given);
      } catch (error) {
        throw fault(error);
      }
    };
  };
  const tokenizer = guarded(createTokenizer)(definition, config);
  return { ...tokenizer, encode: guarded(tokenizer.encode), decode: guarded(tokenizer.decode) };
}

/** A text as it is. Throws InputError for anything else. */
export function checkText(text: unknown, name = "text"): string {
  if (typeof text !== "string") throw new InputError(`${name}: must be a string, got ${show(text)}`);
  return text;
}

/** A tokenizer that must be there. Throws CheckpointError when it is not. */
export function requireTokenizer({ label }: Checkpoint, tokenizer: Tokenizer | undefined): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new CheckpointError(
    `${label}: must hold tokenizer.json to take text, found none; save_pretrained() of Transformers writes it, for Marian and M2M100 take that of a conversion for transformers.js, or give token ids to generate()`,
  );
}

function createTokenizer(definition: Json, config: Json): Tokenizer {
  const vocabulary = createVocabulary((definition.model ?? {}) as Json);
  const normalize = definition.normalizer ? createNormalizer(definition.normalizer as Json) : undefined;
  const stated = { ...definition, added_tokens: [definition.added_tokens ?? [], targetTokens(vocabulary.ids)].flat() };
  const added = addedTokensOf(stated, config, vocabulary.ids).map((token) =>
    token.normalized && normalize ? { ...token, spelling: textOf(normalize(lettersOf(token.content))) } : token,
  );
  const tokens: string[] = [];
  for (const [token, id] of vocabulary.ids) tokens[id] = token;
  for (const { spelling, id } of added) tokens[id] = spelling;
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const token_to_id = (token: string): number | undefined => ids.get(token) ?? vocabulary.ids.get(token);
  const template = createTemplate(definition.post_processor as Json | null | undefined, token_to_id);
  const languages = languagesOf(added);
  const special = (token: string): Special => ({ token, id: whole(`the id of ${show(token)}`, token_to_id(token)) });
  const templateOf = createTemplateOf(template, languages, config, special);
  const preTokenize = definition.pre_tokenizer ? createPreTokenizer(definition.pre_tokenizer as Json) : undefined;
  const found = config.split_special_tokens === true ? added.filter(({ special }) => !special) : added;
  const read = createReader({ added: found, vocabulary, normalize, preTokenize, trim: template.trim });
  const side = config.truncation_side ?? (definition.truncation as Json | null | undefined)?.direction;
  const unk_token_id = token_to_id(contentOf(config.unk_token) ?? vocabulary.unknown ?? "");
  const cleansBpe = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true;
  const cleans = config.clean_up_tokenization_spaces === true && (vocabulary.type !== "BPE" || cleansBpe);
  const { model_max_length: limit, model_input_names: names } = config;
  return {
    encode: createEncode(templateOf, read, String(side).toLowerCase() === "left", unk_token_id),
    decode: createDecode(definition, added, tokens, cleans),
    token_to_id,
    id_to_token: (id) => tokens[id],
    unk_token_id,
    languages,
    model_max_length: wholeNumber(1).holds(limit) ? Number(limit) : undefined,
    clean_up_tokenization_spaces: cleans,
    model_input_names: Array.isArray(names) ? names.map(String) : undefined,
  };
}

function createEncode(
  templateOf: TemplateOf,
  read: (text: string) => ReadText,
  fromLeft: boolean,
  unknown: number | undefined,
): Tokenizer["encode"] {
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

function createDecode(
  definition: Json,
  added: readonly AddedToken[],
  tokens: readonly (string | undefined)[],
  cleans: boolean,
): Tokenizer["decode"] {
  const decoder = createDecoder(definition.decoder as Json | null | undefined);
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
  return (given, options = {}) => {
    checkOptions("decode", options, DECODE);
    const { skip_special_tokens = false, clean_up_tokenization_spaces = cleans } = options;
    const ids = checkIds(given).filter((id) => !(skip_special_tokens && special.has(id)));
    const text = decoder(ids.flatMap((id) => tokens[id] ?? [])).join("");
    return clean_up_tokenization_spaces ? cleanUp(text) : text;
  };
}

function checkIds(given: ArrayLike<number | bigint>): number[] {
  const isList = Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView));
  const ids = isList ? Array.from(given, Number) : [NaN];
  const bad = ids.findIndex((id) => !Number.isSafeInteger(id) || id < 0);
  if (bad < 0) return ids;
  throw new InputError(`decode: ids must be a list of whole numbers, got ${show(isList ? given[bad] : given)}`);
}
